"""The machine of an agent: its resources, its load, its faults."""
