"""Failures of what keeps artifacts and logs, as errors of ours: full, or not to be used now."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from artifacts.errors import StorageFull, StorageUnavailable

log = structlog.get_logger()
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY = frozenset({errno.EROFS})


@contextmanager
def translated() -> Iterator[None]:
    """Raise StorageFull or StorageUnavailable for an error of the system; what is absent is for the caller."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        log.warning("the storage failed", error=f"{type(error).__name__}: {error}")
        raise described(error) from error


def described(error: BaseException) -> StorageFull | StorageUnavailable:
    """Return what an error of a storage is to those who use it; its own words are for the log."""
    number = getattr(error, "errno", None)
    if number in _FULL:
        return StorageFull()
    if number in _READ_ONLY:
        return StorageUnavailable("The storage is read-only.")
    if isinstance(error, PermissionError):
        return StorageUnavailable("The storage does not permit that.")
    return StorageUnavailable()
