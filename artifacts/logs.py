"""Logs of attempts: files in a folder of the server, wherever artifacts are kept. They grow under a lock: several may write.

Nothing is addressed by a path or a name that came from outside: logs are named by numbers.
"""

import fcntl
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from django.conf import settings

from artifacts.errors import Gap, TooManyBytes
from artifacts.failing import translated

#: So many tasks of a stage share a folder.
TASKS_PER_FOLDER = 1000


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


class Logs:
    """Keeps logs below one folder, which all web processes share and nobody else may read; each up to `largest` bytes."""

    def __init__(self, root: Path, *, largest: int) -> None:
        self._folder = root / "task-logs"
        self._largest = largest
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def append(self, key: LogKey, offset: int, data: bytes) -> int:
        """Append what a log lacks of the data at `offset`; return its size. Raises Gap or TooManyBytes."""
        if offset + len(data) > self._largest:
            raise TooManyBytes
        path = self._path(key)
        with translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                size = file.seek(0, os.SEEK_END)
                if offset > size:
                    raise Gap(size)
                # What arrives a second time is there already; only what follows it is new.
                file.write(data[size - offset :])
                return file.tell()

    def size(self, key: LogKey) -> int:
        """Return how many bytes of a log are kept; 0 if there is none."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, key: LogKey, offset: int, limit: int) -> bytes:
        """Return at most `limit` bytes of a log from `offset` on; empty past its end."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def link(self, source: int, target: int, attempts: Mapping[int, int]) -> None:
        """Keep the logs of one attempt of each task of a stage as logs of the first attempts of another stage."""
        for path in (self._folder / str(int(source))).glob("*/*.*.*"):
            index, attempt, stream = path.name.split(".")
            if attempts.get(int(index)) == int(attempt):
                folder = self._folder / str(int(target)) / path.parent.name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{index}.0.{stream}").hardlink_to(path)

    def delete(self, stage: int) -> None:
        """Delete all logs of a stage."""
        shutil.rmtree(self._folder / str(int(stage)), ignore_errors=True)

    def stages(self) -> list[int]:
        """Return the stages of which there are logs."""
        try:
            return [int(entry.name) for entry in os.scandir(self._folder) if entry.name.isdigit()]
        except FileNotFoundError:
            return []

    def _path(self, key: LogKey) -> Path:
        folder = self._folder / str(int(key.stage)) / str(int(key.index) // TASKS_PER_FOLDER)
        return folder / f"{int(key.index)}.{int(key.attempt)}.{key.stream.value}"


@cache
def logs() -> Logs:
    """Return the logs of this installation."""
    return Logs(settings.DATA_DIR, largest=settings.LARGEST_LOG)
