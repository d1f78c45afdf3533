"""A file system of fsspec as storage, such as a bucket.

An artifact is written under another name, and moved to its own when it is whole: not every file system of fsspec writes files
that appear whole. Calls are made in threads, as some have no limits of time; while one has just failed to answer, others are
not made, so that a storage that is away keeps nobody waiting for long.
"""

import secrets
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from artifacts.checked import verified
from artifacts.errors import NoSuchArtifact, StorageFull, StorageUnavailable
from artifacts.failing import described
from artifacts.names import is_digest, require_digest

log = structlog.get_logger()
T = TypeVar("T")
#: Bytes that are read or written at a time; and those of a part, of which this is the least that S3 takes.
PIECE, PART = 1024 * 1024, 5 * 1024 * 1024
#: Seconds in which a call must be answered, and for which no other is made if it was not.
SECONDS, PAUSE = 10.0, 5.0
#: Seconds in which a whole artifact must be moved, which some copy.
MOVING = 120.0
THREADS = 32
#: The names by which file systems tell when a file was written.
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")
PARTIAL = "partial"
ABSENT = "The folder or bucket of the storage is not there."


class Remote:
    """Keeps artifacts below a folder of a file system."""

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="storage")
        self._away_until = 0.0

    def take(self, digest: str, path: Path) -> None:
        place, aside = self._place(digest), f"{self._root}/{PARTIAL}/{secrets.token_hex(16)}"
        try:
            self._write(aside, path)
            self._in_folder(place, self._files.mv, aside, place, seconds=MOVING)
        except BaseException as error:
            with suppress(FileNotFoundError, StorageFull, StorageUnavailable):
                self._call(self._files.rm_file, aside)
            if isinstance(error, FileNotFoundError):
                raise StorageUnavailable(ABSENT) from error
            raise
        path.unlink()

    def read(self, digest: str) -> bytes:
        return b"".join(self.pieces(digest))

    def pieces(self, digest: str, begin: int = 0, end: int | None = None) -> Iterator[bytes]:
        size = self.size(digest)
        pieces = self._pieces(digest, begin, size if end is None else min(end, size))
        return pieces if begin or end is not None else verified(digest, pieces)

    def size(self, digest: str) -> int:
        try:
            return int(self._call(self._files.info, self._place(digest))["size"])
        except FileNotFoundError as error:
            raise NoSuchArtifact from error

    def has(self, digest: str) -> bool:
        try:
            return self.size(digest) >= 0
        except NoSuchArtifact:
            return False

    def missing(self, digests: Collection[str]) -> set[str]:
        asked = list(digests)
        with ThreadPoolExecutor(THREADS // 2) as threads:
            return {digest for digest, there in zip(asked, threads.map(self.has, asked), strict=True) if not there}

    def stored(self) -> Iterator[tuple[str, datetime]]:
        for shard in range(256):
            for name, written in self._listed(f"{shard:02x}"):
                if is_digest(name):
                    yield name, written

    def delete(self, digest: str) -> bool:
        if not self.has(digest):
            return False
        with suppress(FileNotFoundError):
            self._call(self._files.rm_file, self._place(digest))
        return True

    def discard_partial(self, before: datetime) -> None:
        for name, written in self._listed(PARTIAL):
            if written < before:
                with suppress(FileNotFoundError):
                    self._call(self._files.rm_file, f"{self._root}/{PARTIAL}/{name}")

    def probe(self) -> None:
        path = f"{self._root}/{PARTIAL}/{secrets.token_hex(16)}"
        try:
            self._in_folder(path, self._files.pipe_file, path, b"x")
            self._call(self._files.rm_file, path)
        except FileNotFoundError as error:
            raise StorageUnavailable(ABSENT) from error

    def _place(self, digest: str) -> str:
        require_digest(digest)
        return f"{self._root}/{digest[:2]}/{digest}"

    def _write(self, place: str, path: Path) -> None:
        with path.open("rb", buffering=0) as source:
            target = self._in_folder(place, self._files.open, place, "wb", block_size=PART)
            try:
                while piece := source.read(PIECE):
                    self._call(target.write, piece, seconds=MOVING)
            finally:
                self._call(target.close, seconds=MOVING)

    def _pieces(self, digest: str, begin: int, end: int) -> Iterator[bytes]:
        place = self._place(digest)
        while begin < end:
            try:
                piece = self._call(self._files.cat_file, place, start=begin, end=min(begin + PIECE, end))
            except FileNotFoundError as error:
                raise NoSuchArtifact from error
            if not piece:
                return
            yield piece
            begin += len(piece)

    def _listed(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Yield the files of a folder, each with the time when it was written."""
        try:
            found = self._call(self._files.ls, f"{self._root}/{folder}", detail=True, seconds=MOVING)
        except FileNotFoundError:
            return
        for each in found:
            if each.get("type") == "file" and (written := self._written(each)):
                yield each["name"].rpartition("/")[2], written

    def _written(self, told: dict[str, Any]) -> datetime | None:
        """Return when a file was written; None if it has gone meanwhile."""
        found = next((told[name] for name in _TIMES if told.get(name)), None)
        try:
            when = self._call(self._files.modified, told["name"]) if found is None else found
        except FileNotFoundError:
            return None
        if isinstance(when, datetime):
            return when if when.tzinfo else when.replace(tzinfo=UTC)
        return datetime.fromtimestamp(float(when), UTC)

    def _in_folder(self, place: str, ask: Callable[..., T], *args: Any, **named: Any) -> T:
        """Make a call that writes to a place; the folder is made if it is not there."""
        try:
            return self._call(ask, *args, **named)
        except FileNotFoundError:
            with suppress(FileExistsError):
                self._call(self._files.mkdir, place.rpartition("/")[0], create_parents=False)
        return self._call(ask, *args, **named)

    def _call(self, ask: Callable[..., T], *args: Any, seconds: float = 0.0, **named: Any) -> T:
        """Make a call within some time; raises FileNotFoundError, FileExistsError or errors of a storage."""
        if time.monotonic() < self._away_until:
            raise StorageUnavailable
        asked = self._threads.submit(ask, *args, **named)
        try:
            return asked.result(seconds or SECONDS)
        except (FileExistsError, FileNotFoundError):
            raise
        except NoAnswer as error:
            asked.cancel()
            self._away_until = time.monotonic() + PAUSE
            log.warning("the storage does not answer")
            raise StorageUnavailable from error
        except Exception as error:
            log.warning("the storage failed", error=f"{type(error).__name__}: {error}")
            raise described(error) from error
