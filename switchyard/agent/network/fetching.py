"""Fetch and store data that is too large for a message: over HTTP, in threads of its own, with repetition.

What does not work here, such as writing to a full disk, is a fault of the machine; that too is tried until it works.
"""

import os
import secrets
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from switchyard.agent.core.records import STORED, Stored
from switchyard.agent.core.states import Pack
from switchyard.agent.core.workers import Task
from switchyard.agent.disk.folder import remove
from switchyard.agent.network.cache import BOUND, Cache
from switchyard.agent.network.handing import Handing, write
from switchyard.agent.network.programs import lay_programs
from switchyard.agent.network.repeating import PATIENCE, Repeating, patient
from switchyard.agent.network.server import Refused, Server
from switchyard.agent.network.states import StateTransfer
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import File

THREADS = 4
Outcomes = Mapping[int, Mapping[str, Any]]


class Fetcher:
    """Talks to the server in the background.

    `call` runs what it is given in the supervisor's thread; `fault` tells a fault of the machine. Up to `bound` bytes of
    files are kept that tasks hand on.
    """

    def __init__(
        self,
        server: Server,
        folder: Path,
        call: Callable[[Callable[[], None]], None],
        fault: Callable[[str], None],
        bound: int = BOUND,
        patience: float = PATIENCE,
    ) -> None:
        self._server = server
        self._files = folder / "files"
        self._inputs = folder / "inputs"
        self._unpacking = Lock()
        self._asking = Repeating(THREADS, "fetch", folder, call, fault)
        # Of their own: large files keep nothing else waiting.
        self._moving = Repeating(THREADS, "files", folder, call, fault)
        self._states = StateTransfer(server, folder)
        self._cache = Cache(folder, bound)
        self._handing = Handing(server, folder, self._cache, self._moving, patience)
        self._patience = patience

    def description(self, stage: int, done: Callable[[Mapping[str, Any] | None], None]) -> None:
        """Fetch the description of a stage and hand it over; None if it is not to be had."""
        self._asking.submit(lambda: self._server.description(stage), done)

    def inputs(
        self, stage: int, lacking: Mapping[int, IndexSet], done: Callable[[Mapping[int, Mapping[str, Any]] | None], None]
    ) -> None:
        """Fetch what a stage lacks of its inputs, by producer, and hand it over; None if it is not to be had."""

        def ask() -> Outcomes:
            return {each: self._outcomes(stage, each, tasks) for each, tasks in lacking.items()}

        def answered(outcomes: Outcomes | None) -> None:
            if outcomes and any(told.get("files") for told in outcomes.values()):
                self._moving.submit(lambda: self._handing.lay_out(stage, outcomes), done)
            else:
                self._asking.answer(outcomes, done)

        self._asking.then(ask, answered)

    def forget(self, stage: int) -> None:
        """Remove the files with inputs of a stage."""
        remove(self._inputs / str(stage))

    def forget_files(self, stage: int) -> None:
        """Remove the files that other stages hand on to one."""
        self._handing.forget(stage)

    def items(self, stage: int, low: int, high: int, done: Callable[[Mapping[int, object] | None], None]) -> None:
        """Fetch the items of some tasks of a stage and hand them over; None if they are not to be had."""
        self._asking.submit(lambda: self._server.items(stage, low, high), done)

    def files(self, stage: int, digest: str, done: Callable[[str | None], None]) -> None:
        """Unpack the files of a stage, once for all with this digest, and hand over their folder."""
        self._asking.submit(lambda: self._unpacked(stage, digest), done)

    def store(self, digest: str, path: str, done: Callable[[Stored], None]) -> None:
        """Store a file at the server under its digest and say so."""
        self._asking.submit(patient(lambda: self._store(digest, Path(path)), self._patience), done)

    def store_files(self, task: Task, files: Sequence[File], done: Callable[[Stored], None]) -> None:
        """Store what a task hands on and say so."""
        self._handing.store(task, files, done)

    def abandon(self, task: Task) -> None:
        """Store no more of what a task hands on."""
        self._handing.abandon(task)

    def store_states(self, pack: Pack, done: Callable[[bool | None], None]) -> None:
        """Store states of running tasks and say so; None or false if nobody wants them any more."""
        self._asking.submit(lambda: self._states.store(pack), done)

    def states(
        self, stage: int, attempt: int, low: int, high: int, done: Callable[[Mapping[int, Sequence[Any]] | None], None]
    ) -> None:
        """Fetch the states that tasks of a stage go on from, by index; None if they are not to be had."""
        self._asking.submit(lambda: self._states.fetch(stage, attempt, low, high), done)

    def close(self) -> None:
        """Give up what is under way."""
        self._asking.close()
        self._moving.close()

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
                    write(aside, pieces, digest)
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
            self._server.store(digest, file)
        return True

    def _unpacked(self, stage: int, digest: str) -> str:
        folder = self._files / digest
        with self._unpacking:
            if not folder.exists():
                partial = self._files / f"{digest}.partial"
                files = self._server.files(stage)
                remove(partial)
                try:
                    lay_programs(self._server, self._cache, stage, files, partial)
                    unpack(files, partial)
                except BaseException:
                    remove(partial)
                    raise
                partial.rename(folder)
        return str(folder)


def unpack(files: Mapping[str, Any], folder: Path) -> None:
    """Write files, by relative path, into a folder that nobody changes from then on; tasks get copies of them.

    What is more than a text is {"text": … or "base64": …, "executable": …}.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        if not isinstance(file, str) and "digest" in file:
            continue
        told = {"text": file} if isinstance(file, str) else file
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise Refused(f"a file must stay inside of its folder: {name}")
        path = folder / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(b64decode(told["base64"]) if told.get("base64") is not None else told["text"].encode())
        path.chmod(0o555 if told.get("executable") else 0o444)
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o555)
