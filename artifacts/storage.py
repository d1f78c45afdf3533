"""Storage: where artifacts are kept, behind one interface: a folder of the server, or what a URL names.

Nothing is addressed by a path or a name that came from outside: artifacts are named by their SHA-256.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from django.conf import settings

from artifacts import location
from artifacts.folder import Folder
from artifacts.remote import Remote


class Storage(Protocol):
    """Keeps artifacts, each whole or not at all. Everything may raise StorageFull or StorageUnavailable."""

    def take(self, digest: str, path: Path) -> None:
        """Keep for good what a file has, whose digest was verified; the file is gone then."""

    def read(self, digest: str) -> bytes:
        """Return an artifact of moderate size as a whole; raises NoSuchArtifact, or Damaged."""

    def pieces(self, digest: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield bytes of an artifact in pieces of moderate size; raises NoSuchArtifact with the first.

        A whole one is verified: in place of the last piece of one that is not that of its digest comes Damaged.
        """

    def size(self, digest: str) -> int:
        """Return how many bytes an artifact has; raises NoSuchArtifact."""

    def has(self, digest: str) -> bool:
        """Say whether an artifact is there."""

    def missing(self, digests: Collection[str]) -> set[str]:
        """Return those of these artifacts that are not there."""

    def stored(self) -> Iterator[tuple[str, datetime]]:
        """Yield all artifacts, each with the time when it was written."""

    def delete(self, digest: str) -> bool:
        """Delete an artifact, which only a collection does (artifacts.collection); say whether there was one."""

    def discard_partial(self, before: datetime) -> None:
        """Delete what is left of artifacts whose writing was broken off before."""

    def probe(self) -> None:
        """Write a little and remove it again, so that what keeps artifacts from being stored is raised."""


@cache
def storage() -> Storage:
    """Return the storage that the settings name."""
    if settings.STORAGE:
        return Remote(*location.opened(settings.STORAGE))
    return Folder(settings.DATA_DIR)
