"""The loop of the leading scheduler, and its steps."""
