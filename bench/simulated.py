"""A simulated agent: the real protocol without processes; who drives it says when its tasks end. Does no I/O.

It grants by the same rule as agents do, has one report under way at a time, and gives back what has waited too long. A
task that runs for a while is reported as begun before it has ended. Recalls, cancels and pauses do not occur where it is
used.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from switchyard.messaging.messages import Command, Finished, Heartbeat, Report
from switchyard.scheduling.assignment import promote
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.reports import Returned, Started

#: As agents do: seconds until a report is sent again, until a mere confirmation is sent, until an entry is given back.
RESEND, CONFIRM, PATIENCE = 1.0, 0.2, 1.0
#: Stage, attempt, index, and when it began in microseconds.
Task = tuple[int, int, int, int]


@dataclass(slots=True)
class Entry:
    """Tasks of one launch that have not begun."""

    stage: int
    attempt: int
    indexes: deque[int]
    demand: dict[str, int]
    since: float
    startable: bool = True

    @property
    def waiting(self) -> int:
        """How many there are."""
        return len(self.indexes)


@dataclass(slots=True)
class SimulatedAgent:
    """One of them: its list, its room, and what it has yet to report."""

    node: int
    session: str
    room: dict[str, int]
    entries: dict[int, Entry] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    highest: int = 0
    seen: list[int] = field(default_factory=list)
    number: int = 0
    beats: int = 0
    unconfirmed_since: float = 0.0
    sent_at: float = 0.0
    under_way: Report | None = None
    running: dict[Task, dict[str, int]] = field(default_factory=dict)
    begun: list[Task] = field(default_factory=list)
    returns: list[Returned] = field(default_factory=list)
    finished: dict[tuple[int, int], Finished] = field(default_factory=dict)

    def obey(self, command: Command, now: float) -> None:
        """Put what is launched on the list, and note what is acknowledged."""
        if command.session != self.session or command.number <= self.highest:
            return
        self.highest = command.number
        self.seen.append(command.number)
        if command.launches:
            self.unconfirmed_since = self.unconfirmed_since or now
        if self.under_way and self.under_way.number <= command.acknowledged:
            self.under_way = None
        for launch in command.launches:
            if launch.entry not in self.known:
                indexes = deque(index for low, high in launch.ranges for index in range(low, high))
                self.entries[launch.entry] = Entry(launch.stage, launch.attempt, indexes, launch.demand, now)
                self.known.add(launch.entry)

    def start(self, begun: int) -> Iterator[Task]:
        """Begin what the list and the room allow."""
        for entry, granted in promote(list(self.entries.values()), self.room):
            for _ in range(granted):
                for name, amount in entry.demand.items():
                    self.room[name] -= amount
                task = (entry.stage, entry.attempt, entry.indexes.popleft(), begun)
                self.running[task] = entry.demand
                yield task
        self._drop(number for number, entry in self.entries.items() if not entry.indexes)

    def end(self, task: Task, ended: int) -> None:
        """End a task with its result, and free its room."""
        stage, attempt, index, begun = task
        for name, amount in self.running.pop(task).items():
            self.room[name] += amount
        group = self.finished.setdefault((stage, attempt), Finished(stage, attempt))
        group.indexes.append(index)
        group.begun.append(begun)
        group.ended.append(ended)
        group.results.append(str(index * index))

    def give_back(self, now: float) -> None:
        """Give back what has waited too long here, so that it may begin elsewhere."""
        late = [number for number, entry in self.entries.items() if now - entry.since > PATIENCE]
        for number in late:
            entry = self.entries[number]
            self.returns.append(Returned(entry.stage, entry.attempt, IndexSet.from_indexes(entry.indexes).to_json()))
        self._drop(late)

    def report(self, now: float) -> Report | None:
        """Return the report that is to be sent now, if there is one."""
        if self.under_way is None and self._has_news(now):
            self.number += 1
            starts = [Started(stage, attempt, [index], [begun]) for stage, attempt, index, begun in self._told()]
            self.under_way = Report(
                self.node,
                self.session,
                self.number,
                self.seen,
                finished=list(self.finished.values()),
                starts=starts,
                returns=self.returns,
            )
            self.finished, self.begun, self.returns, self.seen, self.unconfirmed_since = {}, [], [], [], 0.0
        elif self.under_way is None or now - self.sent_at < RESEND:
            return None
        self.sent_at = now
        self.under_way.sent = time.monotonic_ns() // 1000
        return self.under_way

    def heartbeat(self) -> Heartbeat:
        """Return the next sign of life."""
        self.beats += 1
        return Heartbeat(self.node, self.session, self.beats)

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in list(numbers):
            del self.entries[number]

    def _told(self) -> list[Task]:
        return [task for task in self.begun if task in self.running]

    def _has_news(self, now: float) -> bool:
        overdue = self.unconfirmed_since and now - self.unconfirmed_since > CONFIRM
        return bool(self.finished or self.returns or self._told() or overdue)
