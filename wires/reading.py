"""Errors of requests, independent of a wire. Pure."""

from switchyard.scheduling.errors import SwitchyardError


class Unreadable(SwitchyardError):
    """The request cannot be read."""


class NotThere(SwitchyardError):
    """There is nothing here."""
