"""Recovering: what a journal says to the agent that follows the one which wrote it.

What has ended and is not acknowledged is reported again; what had begun and not ended is lost; what had not begun is
returned. How far each worker had come is read from its page.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from agent.wire import STATUS
from scheduling.indexes import IndexSet
from scheduling.retry import ExitClass

Task = tuple[int, int, int]


class Told(Protocol):
    """Where to tell it."""

    def take(self, told: dict[str, Any]) -> None:
        """Report an end."""

    def give_back(self, tasks: list[tuple[int, int, IndexSet]]) -> None:
        """Report tasks that were never started."""


@dataclass(slots=True)
class Part:
    """What went into one report."""

    ends: dict[Task, dict[str, Any]] = field(default_factory=dict)
    returned: list[Task] = field(default_factory=list)

    def tell(self, told: Told) -> None:
        for end in self.ends.values():
            told.take(end)
        by_attempt: dict[tuple[int, int], list[int]] = defaultdict(list)
        for stage, attempt, index in self.returned:
            by_attempt[stage, attempt].append(index)
        told.give_back([(*task, IndexSet.from_indexes(indexes)) for task, indexes in by_attempt.items()])


@dataclass(slots=True)
class Recovered:
    """What is left of an agent: its last session (empty: none), and what it has not told of its tasks.

    `reports` are those that it numbered and that were not applied: they may be on their way still, so each must be
    told again under its number. `rest` has never been told.
    """

    session: str = ""
    highest: int = 0
    entries: IndexSet = field(default_factory=IndexSet)
    reports: list[Part] = field(default_factory=list)
    rest: Part = field(default_factory=Part)

    def report(self, told: Told, replay: Callable[[Callable[[], None]], None]) -> None:
        """Tell it all."""
        for part in self.reports:
            replay(partial(part.tell, told))
        self.rest.tell(told)

    @property
    def files(self) -> set[str]:
        """The files with results that have yet to be stored."""
        return {end["file"] for end in self.rest.ends.values() if "file" in end}


def read(journal: Path, workers: Path, *, boot: str, reported: int) -> Recovered:
    """Read what a predecessor left behind; `reported` is the number of its last report that was applied."""
    if not journal.exists():
        return Recovered()
    header, *lines = map(json.loads, _whole_lines(journal))
    recovered = Recovered(header["session"], header["highest"])
    history = _History(recovered)
    for line in lines:
        history.take(line, reported)
    history.close(_claimed(workers), rebooted=boot != header["boot"])
    return recovered


def last_session(journal: Path) -> str:
    """Return the session that a journal is of; empty if there is none."""
    lines = _whole_lines(journal) if journal.exists() else []
    return str(json.loads(lines[0])["session"]) if lines else ""


class _History:
    """Goes through a journal from its beginning."""

    def __init__(self, recovered: Recovered) -> None:
        self._recovered = recovered
        self._open: dict[Task, None] = {}
        self._handed: dict[int, list[Task]] = defaultdict(list)
        self._bases: dict[int, int] = defaultdict(int)
        self._storing: dict[Task, dict[str, Any]] = {}
        self._part = Part()

    def take(self, line: Any, reported: int) -> None:  # noqa: C901 - one case for each kind of line
        match line:
            case [stage, attempt, index, begun, ended, result]:
                end = {"stage": stage, "attempt": attempt, "index": index, "begun": begun, "ended": ended}
                self._end({**end, "outcome": "FINISHED", "result": result})
            case {"launched": [command, entry, stage, attempt, ranges]}:
                self._recovered.highest = max(self._recovered.highest, command)
                self._recovered.entries |= IndexSet.span(entry, entry + 1)
                self._open |= dict.fromkeys(_tasks(stage, attempt, ranges))
            case {"returned": [stage, attempt, ranges]}:
                for task in _tasks(stage, attempt, ranges):
                    self._open.pop(task, None)
                    self._part.returned.append(task)
            case {"handed": [worker, stage, attempt, ranges]}:
                self._handed[worker].extend(_tasks(stage, attempt, ranges))
            case {"base": [worker, ended]}:
                self._bases[worker] = ended
            case {"back": [worker, count]}:
                del self._handed[worker][-count:]
            case {"reported": number}:
                if number > reported:
                    self._recovered.reports.append(self._part)
                self._part = Part()
            case {"stage": _}:
                self._end(line)

    def close(self, claimed: dict[int, int], *, rebooted: bool) -> None:
        """Sort what is left: ended, begun, or not."""
        self._recovered.rest = rest = self._part
        rest.ends |= self._storing
        begun = {
            task
            for worker, tasks in self._handed.items()
            for task in tasks[: max(0, claimed.get(worker, 0) - self._bases[worker])]
        }
        for task in self._open:
            if rebooted or task in begun:
                rest.ends[task] = _lost(task)
            else:
                rest.returned.append(task)

    def _end(self, end: dict[str, Any]) -> None:
        task = (end["stage"], end["attempt"], end["index"])
        self._open.pop(task, None)
        if end.get("file"):
            self._storing[task] = end
        else:
            self._storing.pop(task, None)
            self._part.ends[task] = end


def _lost(task: Task) -> dict[str, Any]:
    stage, attempt, index = task
    return {"stage": stage, "attempt": attempt, "index": index, "class": ExitClass.LOST, "error": "its agent ended"}


def _tasks(stage: int, attempt: int, ranges: list[list[int]]) -> list[Task]:
    return [(stage, attempt, index) for low, high in ranges for index in range(low, high)]


def _whole_lines(journal: Path) -> list[bytes]:
    whole, _, _ = journal.read_bytes().rpartition(b"\n")
    return whole.splitlines()


def _claimed(workers: Path) -> dict[int, int]:
    """Return how many tasks each worker had claimed."""
    pages = {int(page.parent.name): page.read_bytes() for page in workers.glob("*/page")}
    return {worker: STATUS.unpack_from(page)[0] for worker, page in pages.items() if len(page) >= STATUS.size}
