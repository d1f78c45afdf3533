"""The loop of the one scheduler that leads, and its steps."""
