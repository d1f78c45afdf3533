"""How a process ends in the middle of what it does."""


class Killed(Exception):
    """The process was killed."""
