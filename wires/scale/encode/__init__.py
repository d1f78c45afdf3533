"""From our values to what clients of Scale read. Pure."""
