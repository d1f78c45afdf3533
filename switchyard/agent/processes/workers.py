"""The agent's side of one worker: handing tasks over, taking back what has not begun, reading how they ended."""

import fcntl
import json
import os
import shutil
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from switchyard.agent.entries import Entry
from switchyard.agent.processes.cgroups import Group
from switchyard.agent.worker.pipes import ITEM, Page, pack_items

Key = tuple[Any, ...]
#: A description goes through the pipe if that has room for so many of its size: a worker has fewer tasks.
DESCRIPTIONS = 128
#: Bytes that a pipe holds; a larger buffer would cost more than what is read into it.
PIPE = 64 * 1024


@dataclass(slots=True)
class Handed:
    """Tasks of one entry in the order in which they were handed over; the first `ended` of them have ended."""

    entry: Entry
    indexes: list[int]
    ended: int = 0

    def left(self) -> list[int]:
        return self.indexes[self.ended :]


@dataclass(slots=True)
class Stop:
    """One running task that is being ended, and why; times are of the monotonic clock, seconds."""

    task: tuple[int, int, int]
    reason: str
    kill_at: float
    asked: bool = False
    killed: bool = False


class Worker:
    """One worker process; `outstanding` tasks were handed to it and have not ended."""

    def __init__(
        self,
        zygote: object,
        number: int,
        key: Key,
        folder: Path,
        items: int,
        unclaimed: int,
        stages: int,
        results: int,
        page: int,
        patience: float,
    ) -> None:
        self.zygote = zygote
        self.number = number
        self.key = key
        self.folder = folder
        self.pid = 0
        self.results = results
        self.page = Page(page)
        self.patience = patience
        self.outstanding = 0
        self.ended = 0
        #: Its control group, if it has one; the MiB that its task asked for, and whether the group bounds it to them.
        self.group: Group | None = None
        self.mem = 0
        self.bounded = False
        self.handed: deque[Handed] = deque()
        self.running: Entry | None = None
        self.stop: Stop | None = None
        self.retiring = False
        #: Number of the last task whose start was reported, and of the last update, with its time.
        self.reported = self.updated = 0
        self.updated_at = 0.0
        self.known: dict[int, int] = {}
        self.idle_since = 0.0
        #: When it was last seen to get on: something ended, or it was handed something while it had nothing.
        self.got_on = 0.0
        #: Whether it may be handed what waits for its own tasks: not once something was taken back, as it may be ended.
        self.trusted = True
        self._items = items
        self._unclaimed = unclaimed
        self._stages = stages
        self._inline = fcntl.fcntl(stages, fcntl.F_GETPIPE_SZ) // DESCRIPTIONS
        self._partial = b""
        #: Whether nothing more is read from it: the pipe is closed at its end, or what came is no end of a task.
        self.mute = False
        #: What that was.
        self.garbage = ""

    def bound(self, mem: int) -> None:
        """Bound the memory of what it runs from now on to so many MiB; 0 is no bound."""
        self.mem, self.bounded = mem, False
        if self.group:
            with suppress(OSError):
                self.group.bound(mem)
                self.bounded = True

    def ran_out(self, *, killed: bool) -> bool:
        """Say whether the kernel ended something of it for want of memory, if that may be why a task failed."""
        return self.group is not None and (killed or self.mem > 0) and self.group.killed()

    def describe(self, stage: int, version: int, line: bytes) -> None:
        """Tell the worker of a stage; what is long goes by a file, so that this never waits for the worker.

        A worker whose folder cannot be written takes nothing more, and is to end.
        """
        if len(line) > self._inline:
            path = self.folder / f"stage-{stage}-{version}.json"
            try:
                path.write_bytes(line)
            except OSError:
                path.unlink(missing_ok=True)
                self.retiring = True
                raise
            line = json.dumps({"path": str(path)}).encode() + b"\n"
        self.known[stage] = version
        with suppress(BrokenPipeError):  # It has just ended, and takes no tasks either (see hand).
            os.write(self._stages, line)

    def hand(self, entry: Entry, indexes: list[int], version: int) -> None:
        """Hand tasks over, in order. A worker that has just died takes none; they are found when its end is heard."""
        if not self.outstanding:
            self.got_on = time.monotonic()
        self.outstanding += len(indexes)
        self.handed.append(Handed(entry, indexes))
        try:
            os.write(self._items, pack_items(entry.stage.id, entry.attempt, indexes, version, ahead=bool(entry.open)))
        except BrokenPipeError:
            return

    def last(self) -> tuple[int, int]:
        """Return the stage of the task that was handed over last, and how many of the stage have yet to end here."""
        stage = self.handed[-1].entry.stage
        return stage.id, sum(len(part.indexes) - part.ended for part in self.handed if part.entry.stage is stage)

    def finish(self, count: int) -> None:
        """Note that so many of its tasks, in the order of handing, have ended."""
        self.got_on = time.monotonic()
        self.outstanding -= count
        self.ended += count
        while count:
            first = self.handed[0]
            step = min(count, len(first.indexes) - first.ended)
            first.ended += step
            count -= step
            if first.ended == len(first.indexes):
                self.handed.popleft()

    def due(self, count: int | None = None) -> list[tuple[int, int, int]]:
        """Return the next tasks that will end, as stage, attempt and index; without a number, all that it has."""
        found: list[tuple[int, int, int]] = []
        for part in self.handed:
            found.extend(zip(repeat(part.entry.stage.id), repeat(part.entry.attempt), part.left(), strict=False))
            if count is not None and len(found) >= count:
                break
        return found[:count]

    def disown(self, garbage: str) -> None:
        """Read nothing more from it and hand it nothing more: what it wrote is no end of a task."""
        self.garbage, self.mute, self.retiring = garbage, True, True

    def take_back(self) -> list[tuple[Entry, list[int]]]:
        """Take back every task that the worker has not begun."""
        self.trusted = False
        try:
            count = len(os.read(self._unclaimed, ITEM.size * 4096)) // ITEM.size
        except BlockingIOError:
            return []
        return self.drop_last(count)

    def drop_last(self, count: int) -> list[tuple[Entry, list[int]]]:
        """Forget the tasks that were handed over last, and return them."""
        self.outstanding -= count
        taken = []
        while count:
            last = self.handed[-1]
            step = min(count, len(last.indexes) - last.ended)
            taken.append((last.entry, last.indexes[-step:]))
            del last.indexes[-step:]
            count -= step
            if last.ended == len(last.indexes):
                self.handed.pop()
        return taken

    def read(self) -> bytes:
        """Return whole lines that the worker has written, b"" if there are none now."""
        while b"\n" not in self._partial and not self.mute:
            try:
                data = os.read(self.results, PIPE)
            except BlockingIOError:
                return b""
            self.mute = not data
            if self.mute:
                return b""
            self._partial += data
        whole, newline, self._partial = self._partial.rpartition(b"\n")
        return whole + newline

    def retire(self) -> None:
        """Let the process end when it has nothing more to do."""
        self.retiring = True
        if self._items >= 0:
            os.close(self._items)
            self._items = -1

    def close(self) -> None:
        """Give back what a worker that has ended held here, but for its output."""
        self.retire()
        for fd in (self._unclaimed, self._stages, self.results):
            os.close(fd)
        self.page.memory.close()

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
