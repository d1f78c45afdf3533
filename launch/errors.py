"""Errors of launching, with advice for the reader.

Not the domain's vocabulary (see switchyard.scheduling.errors).
"""


class LaunchError(Exception):
    """Something keeps the stack from starting or stopping; the message says what to do."""
