"""A worker in memory: it claims what it is sent one by one, as the process of a worker does (agent.worker.loop)."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from switchyard.agent.core.entries import Entry
from switchyard.agent.core.records import Death, Saved, Status
from switchyard.agent.core.stages import STATE
from switchyard.agent.core.workers import Key, Task, Worker
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import shares

TERM, KILL = -15, -9


@dataclass(frozen=True, slots=True)
class Item:
    """A task in a worker's pipe."""

    stage: int
    attempt: int
    index: int
    version: int
    ahead: bool

    @property
    def task(self) -> Task:
        return self.stage, self.attempt, self.index


@dataclass(slots=True)
class Described:
    """A stage as a worker knows it: of each producer (and items of foreach, None) the tasks that it was given."""

    parallelism: int
    sources: list[list[Any]]
    version: int = 0
    given: dict[str | None, set[int]] = field(default_factory=dict)
    call: str = ""
    #: By task, where the state is that it goes on from.
    restored: dict[int, str] = field(default_factory=dict)


class MemoryWorker(Worker):
    """The books of a worker, and its process: `pipe` has not been read, `read_item` was and has not begun, `current` runs.

    `lines` wait to be read by the agent. `dead` is the wait status once the process has ended.
    """

    def __init__(self, number: int, key: Key, patience: float, began: Callable[["MemoryWorker", Item], None]) -> None:
        super().__init__(number, key, f"workers/{number}", patience)
        self.pipe: deque[Item] = deque()
        self.read_item: Item | None = None
        self.current: Item | None = None
        self.begun = 0
        self.lines: list[bytes] = []
        self.dead: int | None = None
        self.signals: list[int] = []
        self.dismissed = False
        self.full = False
        self.stages: dict[int, Described] = {}
        self._made: set[tuple[int, int]] = set()
        self._status = Status(0, 0, 0, 0, 0, 0, 0, 0)
        self._began = began
        self._saved: Saved | None = None
        #: The task, as claimed, that answers when it is asked for its state, and for which checkpoint it was asked last.
        self.answering = self.asked = 0

    @property
    def tasks(self) -> list[Item]:
        """What it holds and may still run, or runs."""
        return [*filter(None, (self.current, self.read_item)), *self.pipe]

    @property
    def is_free(self) -> bool:
        return self.dead is None and self.current is None

    def send_description(self, stage: int, version: int, line: bytes) -> None:
        if self.full:
            raise OSError(28, "no space")
        told = json.loads(line)
        if stage not in self.stages:
            self.stages[stage] = Described(told["parallelism"], told["inputs"], call=told["python"])
        known = self.stages[stage]
        known.version += len(told["given"])
        for name, index, text in told["given"]:
            known.given.setdefault(name, set()).add(index)
            if name == STATE:
                known.restored[index] = json.loads(text)[0]

    def send(self, stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> None:
        assert not self.dismissed, "a worker that was dismissed is handed tasks"
        if self.dead is None:
            self.pipe.extend(Item(stage, attempt, index, version, ahead) for index in indexes)

    def withdraw(self) -> int:
        count = len(self.pipe)
        self.pipe.clear()
        return count

    def read(self) -> None:
        """Read an item, without having begun it."""
        self.read_item = self.pipe.popleft()

    def begin(self, now: float) -> None:
        """Begin what was read; skip it if it was to be given what is not there."""
        item, self.read_item = self.read_item, None
        assert item is not None
        claimed = self._status.claimed + 1
        self.begun = round(now * 1e6)
        self._status = Status(claimed, *item.task, self.begun, 0, 0, claimed)
        if self._lacks(item):
            assert item.ahead, f"{item.task} was handed over without its inputs"
            self.lines.append(b'{"skipped":[%d,%d,%d]}\n' % item.task)
            return
        self.current = item
        self._began(self, item)

    def end_task(self, now: float, **more: Any) -> None:
        """End what runs: with a result, or with what `more` says of its end."""
        item, self.current = self.current, None
        assert item is not None
        ended = max(round(now * 1e6), self.begun)
        end: Any = [*item.task, self.begun, ended, self.result(item)]
        if more:
            names = ("stage", "attempt", "index", "begun", "ended")
            end = {**dict(zip(names, end, strict=False)), "inputs": 0, "outcome": "FAILED", **more}
        if not more or end["outcome"] == "FINISHED":
            self._made.add((item.stage, item.index))
        self.lines.append(json.dumps(end, separators=(",", ":")).encode() + b"\n")

    def result(self, item: Item) -> str:
        """Return what a task gives that finishes, as a JSON text."""
        return str(item.index)

    def die(self, status: int) -> None:
        self.dead = status

    def take_lines(self) -> bytes:
        """Return what the agent reads now."""
        lines, self.lines = b"".join(self.lines), []
        return lines

    def death(self) -> Death:
        status = KILL if self.dead is None else self.dead
        return Death(status, self._status, f"signal {-status}" if status < 0 else "")

    def status(self) -> Status:
        return self._status

    def live(self) -> tuple[int, bytes]:
        return 0, b""

    def saved(self) -> Saved | None:
        return self._saved

    def take_state(self, number: int) -> str | None:
        return f"{self.folder}/{number}" if self._saved and self._saved.number == number else None

    def expected(self) -> int:
        return self.answering

    def ask(self, claimed: int, checkpoint: int) -> None:
        self.asked = checkpoint

    def save(self, now: float, checkpoint: int = 0) -> None:
        """Save a state of what runs, the answer to a checkpoint unless that is 0."""
        number = self._saved.number + 1 if self._saved else 1
        self._saved = Saved(number, self._status.claimed, checkpoint, 10, -1, 1, 5, round(now * 1e6))

    def resident(self) -> int:
        return 0

    def limit(self, mem: int) -> bool:
        return True

    def ran_out(self, *, killed: bool) -> bool:
        return False

    def terminate(self) -> bool:
        self.signals.append(TERM)
        return self.current is not None and self.dead is None

    def kill(self) -> bool:
        self.signals.append(KILL)
        return self.dead is None

    def clear(self) -> None:
        if self.dead is None:
            self.die(KILL)

    def dismiss(self) -> None:
        self.dismissed = True

    def _lacks(self, item: Item) -> bool:
        """Return whether an input of a task is neither given nor was it made here."""
        stage = self.stages[item.stage]
        for name, size, exchange, producer in stage.sources:
            given = stage.given.get(name, set())
            made = {index for id_, index in self._made if id_ == producer} if item.ahead else set()
            whole, own = IndexSet.span(0, size), IndexSet.span(item.index, item.index + 1)
            needed = shares(own, size, stage.parallelism) if exchange == "pointwise" else whole
            if not set(needed) <= given | made:
                return True
        return False


def new_worker(number: int, entry: Entry, began: Callable[[MemoryWorker, Item], None]) -> MemoryWorker:
    return MemoryWorker(number, entry.key, entry.stage.patience, began)
