"""Fetch and store data that is too large for a message: over HTTP, in threads of its own, with repetition.

What does not work here, such as writing to a full disk, is a fault of the machine; that too is tried until it works.
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Barrier, Event, Lock
from typing import Any, TypeVar

import httpx
import structlog

from switchyard.agent.core.records import STORED
from switchyard.agent.disk.folder import remove
from switchyard.agent.machine import faults
from switchyard.agent.network.server import Refused, Server, SessionEnded
from switchyard.scheduling.indexes import IndexSet

log = structlog.get_logger()
T = TypeVar("T")
#: Seconds between attempts, at first and at most.
FIRST, MOST = 0.2, 5.0
THREADS = 4


class Fetcher:
    """Talks to the server in the background.

    `call` runs what it is given in the supervisor's thread; `fault` tells a fault of the machine.
    """

    def __init__(
        self, server: Server, folder: Path, call: Callable[[Callable[[], None]], None], fault: Callable[[str], None]
    ) -> None:
        self._server = server
        self._files = folder / "files"
        self._inputs = folder / "inputs"
        self._call = call
        self._fault = fault
        self._unpacking = Lock()
        self._closed = Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="fetch")
        self._begin()

    def description(self, stage: int, done: Callable[[Mapping[str, Any] | None], None]) -> None:
        """Fetch the description of a stage and hand it over; None if it is not to be had."""
        self._submit(lambda: self._server.description(stage), done)

    def inputs(
        self, stage: int, lacking: Mapping[int, IndexSet], done: Callable[[Mapping[int, Mapping[str, Any]] | None], None]
    ) -> None:
        """Fetch what a stage lacks of its inputs, by producer, and hand it over; None if it is not to be had."""
        self._submit(lambda: {each: self._outcomes(stage, each, tasks) for each, tasks in lacking.items()}, done)

    def forget(self, stage: int) -> None:
        """Remove the files with inputs of a stage."""
        remove(self._inputs / str(stage))

    def items(self, stage: int, low: int, high: int, done: Callable[[Mapping[int, object] | None], None]) -> None:
        """Fetch the items of some tasks of a stage and hand them over; None if they are not to be had."""
        self._submit(lambda: self._server.items(stage, low, high), done)

    def files(self, stage: int, digest: str, done: Callable[[str | None], None]) -> None:
        """Unpack the files of a stage, once for all with this digest, and hand over their folder."""
        self._submit(lambda: self._unpacked(stage, digest), done)

    def store(self, digest: str, path: str, done: Callable[[bool | None], None]) -> None:
        """Store a file at the server under its digest and say so; None or false if that cannot be done."""
        self._submit(lambda: self._store(digest, Path(path)), done)

    def close(self) -> None:
        """Give up what is under way."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Start all threads now: later the machine may let none begin."""
        begun = Barrier(THREADS + 1)
        try:
            for _ in range(THREADS):
                self._threads.submit(begun.wait)
        except RuntimeError:
            begun.abort()  # Else those that did begin would keep this process from ending.
            raise
        begun.wait()

    def _submit(self, ask: Callable[[], T], done: Callable[[T | None], None]) -> None:
        self._threads.submit(self._persist, ask, done)

    def _persist(self, ask: Callable[[], T], done: Callable[[T | None], None]) -> None:
        pause = FIRST
        while not self._closed.is_set():
            try:
                value = self._ask(ask)
            except httpx.HTTPError as error:
                log.warning("server not reached, trying again", error=str(error))
            except OSError as error:
                fault = faults.describe(error, self._files.parent)
                log.warning("what the server sent cannot be kept, trying again", fault=fault, error=str(error))
                self._fault(fault)
            except SessionEnded as error:
                log.warning("the session has ended", error=str(error))
                return
            else:
                self._call(partial(done, value))
                return
            self._closed.wait(pause)
            pause = min(2 * pause, MOST)

    @staticmethod
    def _ask(ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except SessionEnded:
            raise
        except Refused as error:
            log.warning("refused", error=str(error))
            return None

    def _outcomes(self, stage: int, producer: int, tasks: IndexSet) -> Mapping[str, Any]:
        outcomes = self._server.inputs(stage, producer, tasks)
        stored = ((index, self._downloaded(stage, producer, index, digest)) for index, digest in outcomes.get("stored", ()))
        return {**outcomes, "given": [*outcomes["given"], *((index, f"{STORED}{path}") for index, path in stored)]}

    def _downloaded(self, stage: int, producer: int, index: int, digest: str) -> Path:
        """Return the file with a stored result; one that is there is whole."""
        path = self._inputs / str(stage) / digest
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside = path.with_name(f"{digest}.{secrets.token_hex(4)}")
            try:
                with self._server.stored_input(stage, producer, index) as pieces:
                    _write(aside, pieces, digest)
                aside.rename(path)
            finally:
                aside.unlink(missing_ok=True)
        return path

    def _store(self, digest: str, path: Path) -> bool:
        try:
            file = path.open("rb")
        except FileNotFoundError:  # The machine went down before it was on the disk.
            return False
        with file:
            self._server.put_artifact(digest, file)
        return True

    def _unpacked(self, stage: int, digest: str) -> str:
        folder = self._files / digest
        with self._unpacking:
            if not folder.exists():
                partial = self._files / f"{digest}.partial"
                files = self._server.files(stage)
                remove(partial)
                try:
                    unpack(files, partial)
                except BaseException:
                    remove(partial)
                    raise
                partial.rename(folder)
        return str(folder)


def _write(path: Path, pieces: Iterable[bytes], digest: str) -> None:
    found = hashlib.sha256()
    with path.open("xb") as file:
        for piece in pieces:
            found.update(piece)
            file.write(piece)
    if found.hexdigest() != digest:
        raise httpx.ReadError(f"what came is not {digest}")


def unpack(files: Mapping[str, Any], folder: Path) -> None:
    """Write text files, by relative path, into a folder that nobody changes from then on; tasks get copies of them.

    What is more than a text is {"text": …, "executable": …}.
    """
    for name, file in files.items():
        text, executable = (file, False) if isinstance(file, str) else (file["text"], file["executable"])
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise Refused(f"a file must stay inside of its folder: {name}")
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o555 if executable else 0o444)
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o555)
