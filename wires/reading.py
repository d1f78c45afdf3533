"""Reading requests: what is wrong with them, in nobody's words yet. Pure."""

from switchyard.scheduling.errors import SwitchyardError


class Unreadable(SwitchyardError):
    """The request cannot be read."""


class NotThere(SwitchyardError):
    """There is nothing here."""
