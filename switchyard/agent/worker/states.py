"""States that the tasks of a worker save, in files that its agent takes, and the states that they are restored from.

Runs in workers.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from switchyard.agent.core.records import LAST, Saved
from switchyard.agent.worker import results, unpatched
from switchyard.agent.worker.pipes import Page
from switchyard.agent.worker.results import BadResult
from switchyard.task import Task

#: The folder of a worker with the states that its tasks save, by number.
FOLDER = "states"
#: Bytes of one state.
LIMIT = 64 << 20
_NONE = object()
#: What a state is restored from: the path of a file, whether it is JSON, and how many elements the list has, -1 for no list.
Kept = tuple[str, bool, int]


class States:
    """The states of the tasks of one worker, as switchyard.task.Keeper."""

    def __init__(self, page: Page, folder: Path, current: Callable[[], tuple[int, Task | None]]) -> None:
        self._page = page
        self._folder = folder / FOLDER
        self._current = current
        self._pid = os.getpid()
        self._number = 0
        # Not that of the module: a task may have patched it.
        self._clock = time.monotonic_ns

    def asked(self, task: Task) -> int:
        """Return the number of the last checkpoint that a task was asked for; 0 for none."""
        claimed = self._claimed(task)
        return self._page.asked(claimed) if claimed else 0

    def expect(self, task: Task) -> None:
        """Note that a task answers when it is asked."""
        if claimed := self._claimed(task):
            self._page.expect(claimed)

    def save(self, task: Task, state: Any, checkpoint: int) -> bool:
        """Keep a state, the answer to a checkpoint unless that is 0, and return whether the task is to end now.

        Raises ValueError if it cannot be kept.
        """
        claimed = self._claimed(task)
        if not claimed:
            return False
        begun = self._clock()
        data, length, is_json = _encoded(state)
        self._number += 1
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / str(self._number)
        try:
            path.write_bytes(data)
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        for name in os.listdir(self._folder):  # noqa: PTH208
            if name != path.name:  # The agent has not taken it, and now takes this one.
                (self._folder / name).unlink(missing_ok=True)
        now = self._clock()
        sync, at = (now - begun) // 1000, now // 1000
        self._page.set_saved(Saved(self._number, claimed, checkpoint, len(data), length, is_json, sync, at))
        return checkpoint == LAST

    def _claimed(self, task: Task) -> int:
        """Return as which number the running task was claimed; 0 for another task, and for a fork of it."""
        claimed, current = self._current()
        return claimed if task is current and os.getpid() == self._pid else 0


def read(kept: Kept) -> Any:
    """Return the state that a file holds."""
    path, is_json, _ = kept
    data = Path(path).read_bytes()
    return unpatched.decode(data.decode("ascii")) if is_json else data


def lay_out(task: Task, path: Path) -> None:
    """Write the state that a command goes on from into a file, JSON as its text; no file if there is none."""
    state = task.restored_state(_NONE)
    if state is not _NONE:
        path.write_bytes(state if isinstance(state, bytes) else unpatched.encode(state).encode())


def _encoded(state: Any) -> tuple[bytes, int, int]:
    """Return the bytes of a state, the elements of a list or -1, and whether it is JSON."""
    if isinstance(state, bytes | bytearray | memoryview):
        data, length, is_json = bytes(state), -1, 0
    else:
        try:
            data = results.encode(state, "state").encode("ascii")
        except BadResult as error:
            raise ValueError(str(error)) from None
        length, is_json = len(state) if isinstance(state, list) else -1, 1
    if len(data) > LIMIT:
        raise ValueError(f"the state takes {len(data):,} bytes; up to {LIMIT:,} are kept: hand larger data on as outputs")
    return data, length, is_json
