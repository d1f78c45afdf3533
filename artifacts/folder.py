"""A folder as storage. Artifacts appear whole or not at all; logs grow under a lock, as several may write."""

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from artifacts.errors import Gap, NoSuchArtifact, NotADigest, TooManyBytes, WrongDigest

if TYPE_CHECKING:
    from artifacts.storage import LogKey

#: So many tasks of a stage share a folder of logs.
TASKS_PER_FOLDER = 1000
#: Bytes that are read at a time.
PIECE = 256 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Folder:
    """Keeps bytes below one folder of the server, which all web processes share and nobody else may read."""

    def __init__(self, root: Path, *, largest_artifact: int, largest_log: int) -> None:
        self._artifacts = root / "artifacts"
        self._logs = root / "task-logs"
        self._largest_artifact = largest_artifact
        self._largest_log = largest_log
        for folder in (self._artifacts, self._logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, digest: str) -> bytes:
        try:
            return self._place(digest).read_bytes()
        except FileNotFoundError as error:
            raise NoSuchArtifact from error

    def size(self, digest: str) -> int:
        try:
            return self._place(digest).stat().st_size
        except FileNotFoundError as error:
            raise NoSuchArtifact from error

    def pieces(self, digest: str) -> Iterator[bytes]:
        try:
            file = self._place(digest).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise NoSuchArtifact from error
        with file:
            while piece := file.read(PIECE):
                yield piece

    def has(self, digest: str) -> bool:
        return self._place(digest).exists()

    def write(self, digest: str, chunks: Iterable[bytes]) -> None:
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{secrets.token_hex(8)}")
        try:
            self._write_checked(aside, digest, chunks)
            aside.rename(place)
        finally:
            aside.unlink(missing_ok=True)
        _flush_folder(place.parent)

    def append_log(self, key: "LogKey", offset: int, data: bytes) -> int:
        if offset + len(data) > self._largest_log:
            raise TooManyBytes
        path = self._log(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = file.seek(0, os.SEEK_END)
            if offset > size:
                raise Gap(size)
            # What arrives a second time is there already; only what follows it is new.
            file.write(data[size - offset :])
            return file.tell()

    def log_size(self, key: "LogKey") -> int:
        try:
            return self._log(key).stat().st_size
        except FileNotFoundError:
            return 0

    def read_log(self, key: "LogKey", offset: int, limit: int) -> bytes:
        try:
            with self._log(key).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def link_logs(self, source: int, target: int, attempts: Mapping[int, int]) -> None:
        for path in (self._logs / str(int(source))).glob("*/*.*.*"):
            index, attempt, stream = path.name.split(".")
            if attempts.get(int(index)) == int(attempt):
                folder = self._logs / str(int(target)) / path.parent.name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{index}.0.{stream}").hardlink_to(path)

    def delete_logs(self, stage: int) -> None:
        shutil.rmtree(self._logs / str(int(stage)), ignore_errors=True)

    def stages_with_logs(self) -> list[int]:
        try:
            return [int(entry.name) for entry in os.scandir(self._logs) if entry.name.isdigit()]
        except FileNotFoundError:
            return []

    def stored(self) -> Iterator[tuple[str, datetime]]:
        for path in self._artifacts.glob("??/*"):
            if _DIGEST.fullmatch(path.name) and (written := _written(path)):
                yield path.name, written

    def delete(self, digest: str) -> bool:
        try:
            self._place(digest).unlink()
        except FileNotFoundError:
            return False
        return True

    def discard_partial(self, before: datetime) -> None:
        for path in self._artifacts.glob("??/.*"):
            if (written := _written(path)) and written < before:
                path.unlink(missing_ok=True)

    def _place(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise NotADigest
        return self._artifacts / digest[:2] / digest

    def _log(self, key: "LogKey") -> Path:
        folder = self._logs / str(int(key.stage)) / str(int(key.index) // TASKS_PER_FOLDER)
        return folder / f"{int(key.index)}.{int(key.attempt)}.{key.stream.value}"

    def _write_checked(self, aside: Path, digest: str, chunks: Iterable[bytes]) -> None:
        found, size = hashlib.sha256(), 0
        with aside.open("xb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > self._largest_artifact:
                    raise TooManyBytes
                found.update(chunk)
                file.write(chunk)
            if found.hexdigest() != digest:
                raise WrongDigest
            file.flush()
            os.fsync(file.fileno())


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
