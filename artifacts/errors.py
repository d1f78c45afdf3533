"""What can be wrong with an artifact or a log."""

from switchyard.scheduling.errors import SwitchyardError


class NotADigest(SwitchyardError):
    """Not a SHA-256 in lower-case hexadecimal."""


class NoSuchArtifact(SwitchyardError):
    """There is no artifact of this digest."""


class WrongDigest(SwitchyardError):
    """The bytes are not those of this digest."""


class TooManyBytes(SwitchyardError):
    """More bytes than may be kept as one artifact or log."""


class Gap(SwitchyardError):
    """The bytes do not follow those that are kept; `size` says how many these are."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size


class Damaged(NoSuchArtifact):
    """What is stored under this digest has other bytes."""


class StorageFull(SwitchyardError):
    """The storage is full."""


class StorageUnavailable(SwitchyardError):
    """The storage does not answer; try again."""
