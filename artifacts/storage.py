"""Storage: what can be done with artifacts and logs, wherever they are kept; so far, in a folder.

Nothing is addressed by a path or a name that came from outside: artifacts by their SHA-256, logs by numbers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Protocol

from django.conf import settings

from artifacts.folder import Folder


class Stream(StrEnum):
    """What a task writes to."""

    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class LogKey:
    """One stream of one attempt."""

    stage: int
    index: int
    attempt: int
    stream: Stream


class Storage(Protocol):
    """Keeps bytes, up to LARGEST_ARTIFACT and LARGEST_LOG. Writing the same twice changes nothing."""

    def read(self, digest: str) -> bytes:
        """Return an artifact of moderate size as a whole; raises NoSuchArtifact."""

    def pieces(self, digest: str) -> Iterator[bytes]:
        """Yield an artifact in pieces of moderate size; raises NoSuchArtifact with the first."""

    def size(self, digest: str) -> int:
        """Return how many bytes an artifact has; raises NoSuchArtifact."""

    def has(self, digest: str) -> bool:
        """Say whether an artifact is there."""

    def write(self, digest: str, chunks: Iterable[bytes]) -> None:
        """Keep an artifact for good; raises WrongDigest or TooManyBytes, and then keeps nothing."""

    def append_log(self, key: LogKey, offset: int, data: bytes) -> int:
        """Append what a log lacks of the data at `offset`; return its size. Raises Gap or TooManyBytes."""

    def log_size(self, key: LogKey) -> int:
        """Return how many bytes of a log are kept; 0 if there is none."""

    def read_log(self, key: LogKey, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes of a log from `offset` on; empty past its end."""

    def link_logs(self, source: int, target: int, attempts: Mapping[int, int]) -> None:
        """Keep the logs of one attempt of each task of a stage as logs of the first attempts of another stage."""

    def delete_logs(self, stage: int) -> None:
        """Delete all logs of a stage."""

    def stages_with_logs(self) -> list[int]:
        """Return the stages of which there are logs."""

    def stored(self) -> Iterator[tuple[str, datetime]]:
        """Yield all artifacts, each with the time when it was written."""

    def delete(self, digest: str) -> bool:
        """Delete an artifact, which only a collection does (artifacts.collection); say whether there was one."""

    def discard_partial(self, before: datetime) -> None:
        """Delete what is left of artifacts whose writing was broken off before."""


@cache
def storage() -> Storage:
    """Return the storage that the settings name."""
    return Folder(settings.DATA_DIR, largest_artifact=settings.LARGEST_ARTIFACT, largest_log=settings.LARGEST_LOG)
