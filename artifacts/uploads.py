"""Uploads: what has come of an artifact stands in a file of the server until it is whole and verified.

One that was broken off goes on where it ended. Several senders' requests may write to one upload, as when a connection has
died and only one side knows: the file is locked for each piece, and a piece that is there already is left out. Whoever
begins anew does so in a new file, so that older requests find that theirs has gone.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from artifacts.errors import Gap, StorageFull, TooManyBytes, WrongDigest
from artifacts.failing import translated
from artifacts.names import require_digest

PIECE = 256 * 1024
#: Bytes that broken-off uploads may have in all; the oldest go first, but none that was written to in the last minutes.
BOUND, RESTING = 16 << 30, 600.0


class Uploads:
    """Uploads below a folder, each of up to `largest` bytes."""

    def __init__(self, folder: Path, largest: int, bound: int = BOUND) -> None:
        self._folder = folder
        self._largest = largest
        self._bound = bound
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def size(self, digest: str, sender: str) -> int:
        """Return how many bytes have come of what a sender stores."""
        try:
            return self._path(digest, sender).stat().st_size
        except FileNotFoundError:
            return 0

    def receive(self, digest: str, sender: str, offset: int, pieces: Iterable[bytes], take: Callable[[Path], None]) -> None:
        """Add what comes from an offset on to an upload, and hand the whole file to `take`, which removes it.

        Raises Gap if the offset or the file is not that of the upload any more, TooManyBytes, or WrongDigest.
        """
        path = self._path(digest, sender)
        with translated():
            file = self._begun(path) if not offset else self._resumed(path)
        with file:
            arriving = _Arriving(path, file, offset)
            try:
                for piece in pieces:
                    if arriving.position + len(piece) > self._largest:
                        raise TooManyBytes
                    arriving.add(piece)
                arriving.finish(digest, take)
            except (StorageFull, TooManyBytes):
                path.unlink(missing_ok=True)
                raise

    def drop(self, digest: str, sender: str) -> None:
        """Delete what has come of what a sender stores."""
        self._path(digest, sender).unlink(missing_ok=True)

    def discard(self, before: datetime) -> None:
        """Delete uploads that were broken off before."""
        for path, found in self._found():
            if found.st_mtime < before.timestamp():
                path.unlink(missing_ok=True)

    def _path(self, digest: str, sender: str) -> Path:
        require_digest(digest)
        return self._folder / f"{digest}.{sender}"

    def _begun(self, path: Path) -> BinaryIO:
        """Open a new file in place of that of older requests; raises Gap while one of them writes it or hands it over."""
        self._trim()
        with suppress(FileNotFoundError), path.open("rb", buffering=0) as older, _locked(older):
            if _is_at(path, older):
                path.unlink()
        try:
            return path.open("x+b", buffering=0)
        except FileExistsError:
            raise Gap(0) from None

    def _resumed(self, path: Path) -> BinaryIO:
        try:
            return path.open("r+b", buffering=0)
        except FileNotFoundError:
            raise Gap(0) from None

    def _trim(self) -> None:
        found = sorted(self._found(), key=lambda each: each[1].st_mtime)
        size, before = sum(stat.st_size for _, stat in found), time.time() - RESTING
        for path, stat in found:
            if size <= self._bound or stat.st_mtime > before:
                return
            path.unlink(missing_ok=True)
            size -= stat.st_size

    def _found(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                yield path, path.stat()


class _Arriving:
    """The bytes of one request on their way into an upload."""

    def __init__(self, path: Path, file: BinaryIO, offset: int) -> None:
        self._path, self._file = path, file
        self._found = hashlib.sha256()
        self._own = not offset
        self.position = offset

    def add(self, piece: bytes) -> None:
        """Write what the upload lacks of a piece."""
        with self._locked() as size:
            if size < self.position:
                raise Gap(size)
            lacking = memoryview(piece)[size - self.position :]
            self._own = self._own and len(lacking) == len(piece)
            with translated():
                self._file.seek(size)
                while lacking:
                    lacking = lacking[self._file.write(lacking) :]
        self.position += len(piece)
        self._found.update(piece)

    def finish(self, digest: str, take: Callable[[Path], None]) -> None:
        """Verify what has come, also by others, and hand it over."""
        with self._locked() as size:
            if size < self.position:
                raise Gap(size)
            own = self._own and size == self.position
            found = self._found if own else self._digest()
            if found.hexdigest() != digest:
                self._path.unlink()
                # What came with other requests may be at fault.
                raise WrongDigest if own else Gap(0)
            with translated():
                os.fsync(self._file.fileno())
            take(self._path)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Keep other requests from writing, and give the size; raises Gap if the file is not the upload any more."""
        with _locked(self._file):
            if not _is_at(self._path, self._file):
                raise Gap(0)
            yield os.fstat(self._file.fileno()).st_size

    def _digest(self) -> "hashlib._Hash":
        found = hashlib.sha256()
        with translated():
            self._file.seek(0)
            while piece := self._file.read(PIECE):
                found.update(piece)
        return found


@contextmanager
def _locked(file: BinaryIO) -> Iterator[None]:
    """Keep other requests from writing to a file, and from replacing it; raises Gap if one of them does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Gap(os.fstat(file.fileno()).st_size) from None
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
