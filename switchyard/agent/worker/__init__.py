"""The code of worker processes: tasks and their environment."""
