"""What can be wrong with a program."""

from switchyard.scheduling.errors import SwitchyardError


class BadArchive(SwitchyardError):
    """An archive that is not read any further; the text names what is wrong with it."""


class NotAnArchive(BadArchive):
    """Bytes that are no archive of the kind that the name says."""


class BadEntry(SwitchyardError):
    """An entry point that there is not, or arguments that it does not take."""
