"""A folder as storage: a file for each artifact, which appears by a rename."""

import io
import os
import secrets
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from artifacts.checked import verified
from artifacts.errors import NoSuchArtifact
from artifacts.failing import translated
from artifacts.names import is_digest, require_digest

NAME = "artifacts"
#: Bytes that are read at a time.
PIECE = 256 * 1024


class Folder:
    """Keeps artifacts below one folder of the server, which all web processes share and nobody else may read."""

    def __init__(self, root: Path) -> None:
        self._root = root / NAME
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def take(self, digest: str, path: Path) -> None:
        place = self._place(digest)
        with translated():
            place.parent.mkdir(parents=True, exist_ok=True)
            path.rename(place)
            _flush_folder(place.parent)

    def read(self, digest: str) -> bytes:
        return b"".join(self.pieces(digest))

    def pieces(self, digest: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        pieces = self._pieces(digest, begin, end)
        return pieces if begin or end is not None else verified(digest, pieces)

    def size(self, digest: str) -> int:
        place = self._place(digest)
        try:
            with translated():
                return place.stat().st_size
        except FileNotFoundError as error:
            raise NoSuchArtifact from error

    def has(self, digest: str) -> bool:
        place = self._place(digest)
        with translated():
            return place.exists()

    def missing(self, digests: Collection[str]) -> set[str]:
        return {digest for digest in digests if not self.has(digest)}

    def stored(self) -> Iterator[tuple[str, datetime]]:
        for path in self._root.glob("??/*"):
            if is_digest(path.name) and (written := _written(path)):
                yield path.name, written

    def delete(self, digest: str) -> bool:
        place = self._place(digest)
        try:
            with translated():
                place.unlink()
        except FileNotFoundError:
            return False
        return True

    def discard_partial(self, before: datetime) -> None:
        """Delete nothing: what is not whole is an upload (artifacts.uploads)."""

    def probe(self) -> None:
        path = self._root / f".probe-{secrets.token_hex(8)}"
        try:
            with translated():
                path.write_bytes(b"x" * 4096)
        finally:
            path.unlink(missing_ok=True)

    def _place(self, digest: str) -> Path:
        require_digest(digest)
        return self._root / digest[:2] / digest

    def _pieces(self, digest: str, begin: int, end: int | None) -> Iterator[bytes]:
        place = self._place(digest)
        try:
            with translated():
                file = place.open("rb", buffering=0)
        except FileNotFoundError as error:
            raise NoSuchArtifact from error
        with file:
            file.seek(begin)
            left = end - begin if end is not None else None
            while piece := _read(file, PIECE if left is None else min(PIECE, left)):
                yield piece
                left = None if left is None else left - len(piece)


def _read(file: io.FileIO, size: int) -> bytes:
    with translated():
        return file.read(size)


def _written(path: Path) -> datetime | None:
    """Return when a file was written last; None if it has gone meanwhile."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
