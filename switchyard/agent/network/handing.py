"""Files that tasks hand on: stored at the server, and fetched for the tasks that need them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import httpx
import msgspec

from switchyard.agent.core.records import Stored
from switchyard.agent.core.workers import Task
from switchyard.agent.disk import cached
from switchyard.agent.disk.folder import remove
from switchyard.agent.network.cache import Cache
from switchyard.agent.network.repeating import Repeating, patient
from switchyard.agent.network.server import Refused, Server
from switchyard.scheduling.lifecycle.ends import File


class Abandoned(Exception):
    """Nobody waits for these files any more."""


class Handing:
    """Moves files between the cache and the server, and makes links to those that each stage is handed."""

    def __init__(self, server: Server, data: Path, cache: Cache, moving: Repeating, patience: float) -> None:
        self._server = server
        self._data = data
        self._cache = cache
        self._moving = moving
        self._patience = patience
        self._lock = Lock()
        self._wanted: set[Task] = set()

    def store(self, task: Task, files: Sequence[File], done: Callable[[Stored], None]) -> None:
        """Store the files of a task; the answer is whether they were all here, and are all there."""
        with self._lock:
            self._wanted.add(task)

        def ask() -> bool:
            with self._cache.pinned(files):
                try:
                    return all(self._stored(task, file) for file in files)
                except Abandoned:
                    return False

        def answered(stored: Stored) -> None:
            self.abandon(task)
            done(stored)

        self._moving.submit(patient(ask, self._patience), answered)

    def abandon(self, task: Task) -> None:
        """Store no more of the files of a task."""
        with self._lock:
            self._wanted.discard(task)

    def lay_out(self, stage: int, outcomes: Mapping[int, Mapping[str, Any]]) -> Mapping[int, Mapping[str, Any]]:
        """Fetch what is handed on with the outcomes of other stages, and return these."""
        for producer, told in outcomes.items():
            for index, files in told.get("files", ()):
                for file in _read(files):
                    target = cached.handed(self._data, stage) / str(producer) / file.output / str(index) / file.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fetch = partial(self._fetch, stage, producer, index, file)
                    self._cache.link(file, target, fetch)
        self._cache.trim()
        return outcomes

    def forget(self, stage: int) -> None:
        """Remove what was laid out for a stage."""
        remove(cached.handed(self._data, stage))
        self._cache.trim()

    def _stored(self, task: Task, file: File) -> bool:
        """Store a file that is not stored yet; say whether it was here."""
        self._require_wanted(task)
        try:
            opened = self._cache.place(file).open("rb", buffering=0)
        except FileNotFoundError:
            return self._server.has(file.digest)
        with opened:
            self._server.store(file.digest, opened, lambda: self._require_wanted(task))
        return True

    def _require_wanted(self, task: Task) -> None:
        if task not in self._wanted or self._moving.closed.is_set():
            raise Abandoned

    def _fetch(self, stage: int, producer: int, index: int, file: File, path: Path) -> None:
        with self._server.file(stage, producer, index, file.digest) as pieces:
            write(path, pieces, file.digest)


def write(path: Path, pieces: Iterable[bytes], digest: str) -> None:
    """Write what comes into a new file; raise httpx.ReadError if it is something else."""
    found = hashlib.sha256()
    with path.open("xb") as file:
        for piece in pieces:
            found.update(piece)
            file.write(piece)
    if found.hexdigest() != digest:
        raise httpx.ReadError(f"what came is not {digest}")


def _read(files: object) -> list[File]:
    """Read what the server says of files; it comes from another node."""
    try:
        return msgspec.convert(files, list[File])
    except msgspec.ValidationError as error:
        raise Refused(f"files of an input: {error}") from error
