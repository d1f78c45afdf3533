"""Workers: the tasks of one worker, and the port to its process."""

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.records import Saved, Status

Key = tuple[Any, ...]
Task = tuple[int, int, int]


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
    """One running task that is being ended, and why; times are of the monotonic clock, seconds.

    Until `ask_at` it may end by itself, when it has saved its last state.
    """

    task: Task
    reason: str
    kill_at: float
    ask_at: float = 0.0
    asked: bool = False
    killed: bool = False


class Worker(ABC):
    """One worker; `outstanding` tasks were handed to it and have not ended. Its process has the abstract methods."""

    def __init__(self, number: int, key: Key, folder: str, patience: float) -> None:
        self.number = number
        self.key = key
        self.folder = folder
        self.patience = patience
        self.pid = 0
        self.outstanding = 0
        self.ended = 0
        #: The MiB that its task asked for, and whether the kernel bounds it to them.
        self.mem = 0
        self.bounded = False
        self.handed: deque[Handed] = deque()
        self.running: Entry | None = None
        self.stop: Stop | None = None
        self.retiring = False
        #: Number of the last task whose start was reported, and of the last update, with its time.
        self.reported = self.updated = 0
        self.updated_at = 0.0
        #: Number of the last state that was taken of it.
        self.saved_number = 0
        self.known: dict[int, int] = {}
        self.idle_since = 0.0
        #: When it was last seen to get on: something ended, or it was handed something while it had nothing.
        self.got_on = 0.0
        #: Whether it may be handed what waits for its own tasks: not once something was taken back, as it may be ended.
        self.trusted = True
        #: Whether nothing more is read from it: it has closed its end, or wrote something else than the end of a task.
        self.mute = False
        #: What it wrote instead.
        self.garbage = ""

    @abstractmethod
    def send_description(self, stage: int, version: int, line: bytes) -> None:
        """Pass a stage's description on; never waits for the worker. Raises OSError if the machine fails."""

    @abstractmethod
    def send(self, stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> None:
        """Put tasks behind those that wait for the worker, which claims each as it begins."""

    @abstractmethod
    def withdraw(self) -> int:
        """Remove all that waits for the worker unclaimed, the last tasks sent; return how many there were."""

    @abstractmethod
    def status(self) -> Status:
        """Return the task that it began last."""

    @abstractmethod
    def live(self) -> tuple[int, bytes]:
        """Return the number of the last update that its task wrote, and its text; (0, b"") without any."""

    @abstractmethod
    def saved(self) -> Saved | None:
        """Return the last state that a task of it saved."""

    @abstractmethod
    def take_state(self, number: int) -> str | None:
        """Take the file with a state, and return where it is now; None if there is another by now."""

    @abstractmethod
    def expected(self) -> int:
        """Return the last task, as claimed, that answers when it is asked for its state."""

    @abstractmethod
    def ask(self, claimed: int, checkpoint: int) -> None:
        """Ask a task for its state."""

    @abstractmethod
    def resident(self) -> int:
        """Return the MiB of memory that it uses, with all that it started."""

    @abstractmethod
    def limit(self, mem: int) -> bool:
        """Have the kernel bound its memory to so many MiB, 0 for no bound; return whether it does."""

    @abstractmethod
    def ran_out(self, *, killed: bool) -> bool:
        """Return whether the kernel ended something of it for want of memory, if that may be why a task failed."""

    @abstractmethod
    def terminate(self) -> bool:
        """Send TERM to its task; return whether there was something to send it to."""

    @abstractmethod
    def kill(self) -> bool:
        """Kill its task, and all that this started; return whether its process is there."""

    @abstractmethod
    def clear(self) -> None:
        """Kill it, with all that its tasks have left behind."""

    @abstractmethod
    def dismiss(self) -> None:
        """Send it nothing more, so that it ends when it has done what it has."""

    def bound(self, mem: int) -> None:
        """Bound the memory of what it runs from now on."""
        self.mem, self.bounded = mem, self.limit(mem)

    def hand(self, entry: Entry, indexes: list[int], version: int, now: float) -> None:
        """Hand tasks over, in order."""
        if not self.outstanding:
            self.got_on = now
        self.outstanding += len(indexes)
        self.handed.append(Handed(entry, indexes))
        self.send(entry.stage.id, entry.attempt, indexes, version, ahead=bool(entry.open))

    def describe(self, stage: int, version: int, line: bytes) -> None:
        """Tell the worker of a stage. One that cannot be told takes nothing more, and is to end."""
        try:
            self.send_description(stage, version, line)
        except OSError:
            self.retiring = True
            raise
        self.known[stage] = version

    def last(self) -> tuple[int, int]:
        """Return the stage of the task that was handed over last, and how many of the stage have yet to end here."""
        stage = self.handed[-1].entry.stage
        return stage.id, sum(len(part.indexes) - part.ended for part in self.handed if part.entry.stage is stage)

    def finish(self, count: int, now: float) -> None:
        """Note that so many of its tasks, in the order of handing, have ended."""
        self.got_on = now
        self.outstanding -= count
        self.ended += count
        while count:
            first = self.handed[0]
            step = min(count, len(first.indexes) - first.ended)
            first.ended += step
            count -= step
            if first.ended == len(first.indexes):
                self.handed.popleft()

    def due(self, count: int | None = None) -> list[Task]:
        """Return the next tasks that will end, as stage, attempt and index; without a number, all that it has."""
        found: list[Task] = []
        for part in self.handed:
            found.extend(zip(repeat(part.entry.stage.id), repeat(part.entry.attempt), part.left(), strict=False))
            if count is not None and len(found) >= count:
                break
        return found[:count]

    def disown(self, garbage: str) -> None:
        """Read nothing more from it and hand it nothing more: it wrote something else than the end of a task."""
        self.garbage, self.mute, self.retiring = garbage, True, True

    def take_back(self) -> list[tuple[Entry, list[int]]]:
        """Take back every task that the worker has not begun."""
        self.trusted = False
        return self.drop_last(self.withdraw())

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

    def retire(self) -> None:
        """Let it end when it has nothing more to do."""
        self.retiring = True
        self.dismiss()
