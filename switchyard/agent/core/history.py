"""History: read the journal of the predecessor.

An end that is not acknowledged is reported again. A task that had begun and not ended is lost; one that had not begun is
returned. Output that is not shipped is shipped. How far each worker had come is in the status of its last task.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from switchyard.agent.core import logs
from switchyard.agent.core.ends import Written, accounted, output, plain_end, read_end
from switchyard.agent.core.logs import Log, Name
from switchyard.agent.core.records import Status
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.retry import ExitClass

Task = tuple[int, int, int]


class Told(Protocol):
    """Where to tell it."""

    def take(self, told: Written) -> None:
        """Report an end."""

    def give_back(self, tasks: list[tuple[int, int, IndexSet]]) -> None:
        """Report tasks that were never started."""


@dataclass(slots=True)
class Part:
    """What went into one report."""

    ends: dict[Task, Written] = field(default_factory=dict)
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
    told again under its number. `rest` has never been told. `logs` may be shipped in part. `whose` says which cluster
    it was an agent of.
    """

    session: str = ""
    whose: str = ""
    highest: int = 0
    entries: IndexSet = field(default_factory=IndexSet)
    reports: list[Part] = field(default_factory=list)
    rest: Part = field(default_factory=Part)
    logs: list[Log] = field(default_factory=list)

    def output_alone(self, whose: str) -> "Recovered":
        """Return what is left when the session has ended: output, if it is of the same cluster."""
        return Recovered(logs=self.logs if self.whose == whose else [])

    def report(self, told: Told, replay: Callable[[Callable[[], None]], None]) -> None:
        """Tell it all."""
        for part in self.reports:
            replay(partial(part.tell, told))
        self.rest.tell(told)


def read(
    values: Iterable[Any], pages: Mapping[int, Status], *, reported: int, folder: str, cap: int, size: Callable[[str], int]
) -> Recovered:
    """Return what is left of the agent that wrote these values; `pages` are the statuses of its workers.

    `reported` is the number of its last report that was applied, `folder` has the folders of its workers, `cap` bytes are
    kept of each stream of a task, and `size` returns the size of a file.
    """
    header, *notes = values
    recovered = Recovered(header["session"], header.get("whose", ""), header["highest"])
    history = _History(recovered, folder, cap, size)
    for note in notes:
        history.take(note, reported)
    history.close(pages)
    return recovered


class _History:
    """Goes through a journal from its beginning."""

    def __init__(self, recovered: Recovered, folder: str, cap: int, size: Callable[[str], int]) -> None:
        self._recovered = recovered
        self._folder = folder
        self._cap = cap
        self._size = size
        self._logs: dict[Name, Log] = {}
        self._worker_of: dict[Task, int] = {}
        self._open: dict[Task, None] = {}
        self._handed: dict[int, list[Task]] = defaultdict(list)
        self._bases: dict[int, int] = defaultdict(int)
        self._storing: dict[Task, Written] = {}
        self._skipped: set[Task] = set()
        self._part = Part()

    def take(self, line: Any, reported: int) -> None:  # noqa: C901 - one case for each kind of line
        match line:
            case [*told]:
                self._end(plain_end(*told))
            case {"launched": [command, entry, stage, attempt, ranges]}:
                self._recovered.highest = max(self._recovered.highest, command)
                self._recovered.entries |= IndexSet.span(entry, entry + 1)
                self._open |= dict.fromkeys(_tasks(stage, attempt, ranges))
            case {"obeyed": command}:
                self._recovered.highest = max(self._recovered.highest, command)
            case {"returned": [stage, attempt, ranges]}:
                for task in _tasks(stage, attempt, ranges):
                    self._open.pop(task, None)
                    self._part.returned.append(task)
            case {"handed": [worker, stage, attempt, ranges]}:
                tasks = _tasks(stage, attempt, ranges)
                self._handed[worker].extend(tasks)
                self._worker_of |= dict.fromkeys(tasks, worker)
            case {"entries": ranges}:
                self._recovered.entries |= IndexSet.of(ranges)
            case {"base": [worker, ended]}:
                self._bases[worker] = ended
            case {"back": [worker, count]}:
                del self._handed[worker][-count:]
            case {"skipped": [stage, attempt, index]}:
                self._skipped.add((stage, attempt, index))
            case {"reported": number}:
                if number > reported:
                    self._recovered.reports.append(self._part)
                self._part = Part()
            case {"log": [stage, index, attempt, stream, path, start, end]}:
                log = Log(stage, index, attempt, stream, path, start, end)
                self._logs[log.name] = log
            case {"shipped": [*name]}:
                self._logs.pop(tuple(name), None)
            case {"stage": _}:
                self._end(read_end(line))

    def close(self, pages: Mapping[int, Status]) -> None:
        """Sort what is left: ended, begun, or not. Where a worker's page is gone, all that it was handed may have begun."""
        self._recovered.rest = rest = self._part
        rest.ends |= self._storing
        begun = {
            task
            for worker, tasks in self._handed.items()
            for task in (tasks[: max(0, pages[worker].claimed - self._bases[worker])] if worker in pages else tasks)
        } - self._skipped
        for task in self._open:
            if task in begun:
                rest.ends[task] = self._lost(task, pages.get(self._worker_of.get(task, 0)))
            else:
                rest.returned.append(task)
        self._recovered.logs = list(self._logs.values())

    def _lost(self, task: Task, page: Status | None) -> Written:
        end = Written(*task, exit_class=ExitClass.LOST, error="its agent ended")
        if page and page.claimed == page.again and page.task == task:
            folder = f"{self._folder}/{self._worker_of[task]}"
            out, err = (self._size(f"{folder}/{stream}") for stream in logs.STREAMS)
            end = self._note_output(task, replace(end, stdout=(page.stdout, out), stderr=(page.stderr, err)))
        return end

    def _note_output(self, task: Task, end: Written) -> Written:
        """Note what a task wrote; return its end with how much that is, if its worker told."""
        written = output(end, f"{self._folder}/{self._worker_of.get(task)}")
        self._logs |= {log.name: log for log in written}
        return accounted(end, written, self._cap) if written else end

    def _end(self, written: Written) -> None:
        task = (written.stage, written.attempt, written.index)
        self._open.pop(task, None)
        end = self._note_output(task, written)
        if end.waits:
            self._storing[task] = end
        else:
            self._storing.pop(task, None)
            self._part.ends[task] = end


def _tasks(stage: int, attempt: int, ranges: list[list[int]]) -> list[Task]:
    return [(stage, attempt, index) for low, high in ranges for index in range(low, high)]
