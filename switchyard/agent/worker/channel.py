"""The report channel of a command: a FIFO for lines of JSON (docs/tasks.md). Runs in workers."""

import json
import os
from pathlib import Path
from typing import Any

from switchyard.agent.worker.states import LIMIT as STATE_LIMIT
from switchyard.task import Task

#: Bytes that one line may take.
LIMIT = 64 << 20


class Channel:
    """One worker's FIFO. It is held open for reading and writing, so that commands may come and go."""

    def __init__(self, path: Path, states: Path) -> None:
        self.path = path
        self._states = states
        os.mkfifo(path, 0o600)
        self.fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._task: Task | None = None
        self._partial = b""
        self._result: Any = None
        self._garbage = ""

    @property
    def is_there(self) -> bool:
        """Say whether commands find it where it was made."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return found.st_ino == os.fstat(self.fd).st_ino

    def open(self, task: Task) -> None:
        """Begin to listen for a task; what an earlier one left behind is not its own."""
        self._task = None
        self.read()
        self._task, self._partial, self._result, self._garbage = task, b"", None, ""

    def close(self) -> tuple[Any, str]:
        """Read what is left; return the result that was told (None: none) and what was wrong (empty: nothing)."""
        self.read()
        if self._partial.strip():
            self._take(self._partial)
        return self._result, self._garbage

    def read(self) -> None:
        """Take what has been written so far."""
        while True:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return
            if self._task is None or self._garbage:
                continue
            *lines, self._partial = (self._partial + data).split(b"\n") if b"\n" in data else [self._partial + data]
            if len(self._partial) > LIMIT:
                self._garbage = "a line on the report channel is too long"
            for line in lines:
                if line.strip():
                    self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            if not isinstance(told, dict):
                raise ValueError("a line must be an object")
            for verb, value in told.items():
                self._obey(verb, value)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            shown = line[:100].decode(errors="backslashreplace")
            self._garbage = self._garbage or f"garbage on the report channel: {error}: {shown}"

    def _obey(self, verb: str, value: Any) -> None:
        task = self._task
        if task is None:
            return
        match verb:
            case "progress":
                task.progress(value)
            case "metric":
                for name, amount in value.items():
                    task.metric(name, amount)
            case "accumulate":
                for name, amount in value.items():
                    _accumulate(task, name, amount)
            case "state" | "state_file":
                task.save_state(value if verb == "state" else self._state(value))
            case "log":
                task.log(str(value))
            case "result":
                self._result = value
            case _:
                raise ValueError(f"unknown word {verb!r}")

    def _state(self, name: Any) -> bytes:
        """Return the state that a command has put into a file."""
        path: Path = self._states / name
        if path.parent != self._states:
            raise ValueError(f"a state_file is the name of a file in the folder SWITCHYARD_STATE, not {name!r:.60}")
        try:
            if path.stat().st_size > STATE_LIMIT:
                raise ValueError(f"the state in {name} is larger than {STATE_LIMIT:,} bytes")
            return path.read_bytes()
        except OSError as error:
            raise ValueError(f"the state in {name}: {error.strerror}") from None


def _accumulate(task: Task, name: str, amount: Any) -> None:
    for kind, each in amount.items() if isinstance(amount, dict) else ((None, amount),):
        task.accumulate(name, each, kind)
