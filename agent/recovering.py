"""Recovering: what a journal says to the agent that follows the one which wrote it.

What has ended and is not acknowledged is reported again; what had begun and not ended is lost; what had not begun is
returned. How far each worker had come is read from its page.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field
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
class Recovered:
    """What is left of an agent: its last session (empty: none), and what it has not told of its tasks."""

    session: str = ""
    highest: int = 0
    entries: IndexSet = field(default_factory=IndexSet)
    ends: dict[Task, dict[str, Any]] = field(default_factory=dict)
    lost: list[Task] = field(default_factory=list)
    returned: dict[tuple[int, int], IndexSet] = field(default_factory=dict)

    def report(self, told: Told) -> None:
        """Tell it all."""
        for end in self.ends.values():
            told.take(end)
        for stage, attempt, index in self.lost:
            told.take(
                {"stage": stage, "attempt": attempt, "index": index, "class": ExitClass.LOST, "error": "its agent ended"}
            )
        told.give_back([(*task, indexes) for task, indexes in self.returned.items()])


def read(journal: Path, workers: Path, *, boot: str, reported: int) -> Recovered:
    """Read what a predecessor left behind; `reported` is the number of its last report that was applied."""
    if not journal.exists():
        return Recovered()
    header, *lines = map(json.loads, _whole_lines(journal))
    recovered = Recovered(header["session"], header["highest"])
    history = _History(recovered)
    for line in lines:
        history.take(line, reported)
    history.close({} if boot != header["boot"] else _claimed(workers))
    return recovered


def last_session(journal: Path) -> str:
    """Return the session that a journal is of; empty if there is none."""
    lines = _whole_lines(journal) if journal.exists() else []
    return str(json.loads(lines[0])["session"]) if lines else ""


class _History:
    """Goes through a journal from its beginning."""

    def __init__(self, recovered: Recovered) -> None:
        self._recovered = recovered
        self._open: dict[Task, bool] = {}
        self._handed: dict[int, list[Task]] = defaultdict(list)
        self._bases: dict[int, int] = defaultdict(int)
        self._unmarked: dict[Task, dict[str, Any]] = {}

    def take(self, line: Any, reported: int) -> None:
        match line:
            case [stage, attempt, index, begun, ended, result]:
                end = {"stage": stage, "attempt": attempt, "index": index, "begun": begun, "ended": ended}
                self._end({**end, "outcome": "FINISHED", "result": result})
            case {"launched": [command, entry, stage, attempt, ranges]}:
                self._recovered.highest = max(self._recovered.highest, command)
                self._recovered.entries |= IndexSet.span(entry, entry + 1)
                self._open |= dict.fromkeys(_tasks(stage, attempt, ranges), False)
            case {"returned": [stage, attempt, ranges]}:
                for task in _tasks(stage, attempt, ranges):
                    self._open.pop(task, None)
                    if self._recovered.session:
                        self._unmarked[task] = {}
            case {"handed": [worker, stage, attempt, ranges]}:
                self._handed[worker].extend(_tasks(stage, attempt, ranges))
            case {"base": [worker, ended]}:
                self._bases[worker] = ended
            case {"back": [worker, count]}:
                del self._handed[worker][-count:]
            case {"reported": number}:
                self._mark(applied=number <= reported)
            case {"outcome": _} | {"class": _}:
                self._end(line)

    def close(self, claimed: dict[int, int]) -> None:
        """Sort what is left open: begun or not."""
        self._mark(applied=False)
        begun = {
            task for worker, tasks in self._handed.items() for task in tasks[: claimed.get(worker, 0) - self._bases[worker]]
        }
        everything = not claimed and self._handed
        for task in self._open:
            if task in begun or everything:
                self._recovered.lost.append(task)
            else:
                self._return(task)

    def _end(self, end: dict[str, Any]) -> None:
        task = (end["stage"], end["attempt"], end["index"])
        self._open.pop(task, None)
        self._unmarked[task] = end

    def _mark(self, *, applied: bool) -> None:
        for task, end in self._unmarked.items():
            if "file" in end and "result_digest" in end:
                self._recovered.ends[task] = end
            elif applied:
                self._recovered.ends.pop(task, None)
            elif end:
                self._recovered.ends[task] = end
            else:
                self._return(task)
        self._unmarked.clear()

    def _return(self, task: Task) -> None:
        stage, attempt, index = task
        known = self._recovered.returned.get((stage, attempt), IndexSet())
        self._recovered.returned[stage, attempt] = known | IndexSet.span(index, index + 1)


def _tasks(stage: int, attempt: int, ranges: list[list[int]]) -> list[Task]:
    return [(stage, attempt, index) for low, high in ranges for index in range(low, high)]


def _whole_lines(journal: Path) -> list[bytes]:
    whole, _, _ = journal.read_bytes().rpartition(b"\n")
    return whole.splitlines()


def _claimed(workers: Path) -> dict[int, int]:
    """Return how many tasks each worker had claimed."""
    pages = {int(page.parent.name): page.read_bytes() for page in workers.glob("*/page")}
    return {worker: STATUS.unpack_from(page)[0] for worker, page in pages.items() if len(page) >= STATUS.size}
