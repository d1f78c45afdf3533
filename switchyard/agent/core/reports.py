"""Reports: ends since the last report, numbered, kept until acknowledged, repeated after a while."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from switchyard.agent.core.moment import Moment
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update

#: Seconds after which the oldest unacknowledged report is sent again; doubled each time, up to the longest.
RESEND = 1.0
LONGEST = 30.0
#: Seconds for which a mere confirmation waits for something to go with.
CONFIRM = 0.2
#: Seconds for which news waits for more while more waits to be run here: a report costs as much as many ends in it.
HOLD = 0.015
#: Bytes, about, from which on what happens goes into another report: messages stay under 1 MiB.
FULL = 400_000
#: Bytes counted for a task beside its result.
TASK = 50
#: For a file, beside its names.
FILE = 100


class Reports:
    """Collects what happened; one report is under way at a time, and what happens meanwhile goes into the next.

    `send` is given a report, and whether it was sent before. `mark` is told each number before that report leaves: what
    happened since the last one is in it.
    """

    def __init__(
        self,
        node: int,
        session: str,
        send: Callable[[dict[str, Any], bool], None],
        *,
        last: int = 0,
        mark: Callable[[int], None] = lambda _: None,
        pause: int = 0,
        moment: Moment | None = None,
    ) -> None:
        self._node = node
        self._session = session
        self._send = send
        self._mark = mark
        self._moment = moment or Moment()
        self._number = last
        self._unacknowledged: deque[Report] = deque()
        self._groups: dict[tuple[int, int], Finished] = {}
        self._next = self._new()
        self._size = 0
        self._sent_at = 0.0
        self._patience = RESEND
        self._unconfirmed_since = self._news_since = 0.0
        self._seen: list[int] = []
        self._full: float = FULL
        self.pause = pause

    @property
    def last(self) -> int:
        """The number of the last report: all that happened before is in it, or in one before it."""
        return self._number

    @property
    def delivered(self) -> bool:
        """Say whether everything that happened has been acknowledged."""
        return not (self._unacknowledged or self._has_news() or self._unconfirmed_since)

    def finished(
        self,
        stage: int,
        attempt: int,
        index: int,
        begun: int,
        ended: int,
        result: str,
        inputs: int = 0,
        metrics: str | None = None,
    ) -> None:
        """Note a task that finished."""
        group = self._groups.get((stage, attempt))
        if group is None:
            group = self._groups[stage, attempt] = Finished(stage, attempt)
        group.add(index, begun, ended, result, inputs, metrics)
        self._size += len(result) + TASK + (len(metrics) if metrics else 0)
        if self._size > self._full:
            self._close()

    def other(self, end: End) -> None:
        """Note an end that has more to tell."""
        self._next.others.append(end)
        told = len(str(end.accumulators)) if end.accumulators else 0
        told += sum(FILE + len(file.output) + 2 * len(file.path) for file in end.files or ())
        self._grow(500 + len(end.result or "") + len(end.error or "") + told)

    def started(self, stage: int, attempt: int, index: int, begun: int) -> None:
        """Note that a task runs."""
        self._next.starts.append(Started(stage, attempt, [index], [begun]))
        self._grow(TASK)

    def returned(self, stage: int, attempt: int, indexes: IndexSet) -> None:
        """Note tasks that were never started and will not be."""
        if indexes:
            self._next.returns.append(Returned(stage, attempt, indexes.to_json()))
            self._grow(TASK + 20 * len(indexes.ranges))

    def updated(self, update: Update) -> None:
        """Note what a running task tells of itself."""
        self._next.updates.append(update)
        self._grow(TASK + len(str(update)))

    def paused(self, epoch: int) -> None:
        """Note that everything of before this epoch has begun or been returned."""
        self.pause = epoch
        self._unconfirmed_since = self._unconfirmed_since or 1e-9

    def seen(self, command: int) -> None:
        """Note the number of a command that was obeyed."""
        self._seen.append(command)
        self._unconfirmed_since = self._unconfirmed_since or self._moment.now

    def pending(self) -> list[Report]:
        """Return the reports that are not acknowledged, and at last what is not in a report yet (number 0)."""
        self._next.finished = list(self._groups.values())
        return [*self._unacknowledged, self._next]

    def acknowledged(self, acknowledged: int) -> None:
        """Drop the reports up to this number: they were applied."""
        while self._unacknowledged and self._unacknowledged[0].number <= acknowledged:
            self._unacknowledged.popleft()
            if self._patience > RESEND:
                # It had to be sent again: what was sent after it is as likely to be lost.
                self._sent_at, self._patience = 0.0, RESEND

    def results_of(self, stage: int) -> Iterator[tuple[int, str]]:
        """Yield index and result of what finished here and is not acknowledged, but for results that are kept elsewhere."""
        for report in self.pending():
            for group in report.finished:
                if group.stage == stage:
                    yield from ((index, text) for index, text in zip(group.indexes, group.results, strict=True) if text)
            for end in report.others:
                if end.stage == stage and end.outcome is Outcome.FINISHED and end.result is not None:
                    yield end.index, end.result

    def told(self, stage: int, attempt: int) -> IndexSet:
        """Return the tasks that ended or were returned in what is not acknowledged."""
        found = [indexes.ranges for id_, number, indexes in self.all_told() if (id_, number) == (stage, attempt)]
        return IndexSet.of(chain.from_iterable(found))

    def all_told(self) -> Iterator[tuple[int, int, IndexSet]]:
        """Yield all tasks that ended or were returned in what is not acknowledged, as stage, attempt and indexes."""
        for report in self.pending():
            for group in report.finished:
                yield group.stage, group.attempt, IndexSet.from_indexes(group.indexes)
            for end in report.others:
                yield end.stage, end.attempt, IndexSet.span(end.index, end.index + 1)
            for stage, attempt, ranges in report.returns:
                yield stage, attempt, IndexSet.of(ranges)

    def returned_beyond(self, acknowledged: int) -> list[tuple[int, int, IndexSet]]:
        """Return the tasks that were returned in what is later than a report, as stage, attempt and indexes."""
        later = [report for report in (*self._unacknowledged, self._next) if not 0 < report.number <= acknowledged]
        return [(stage, attempt, IndexSet.of(ranges)) for report in later for stage, attempt, ranges in report.returns]

    def replay(self, tell: Callable[[], None]) -> None:
        """Number what is told meanwhile as one report, whatever its size: as a predecessor may have sent it."""
        self._full = float("inf")
        tell()
        self._full = FULL
        self._close()

    def flush(self, now: float, *, more: bool) -> float:
        """Send what is due; return in how many seconds to look again. `more` says whether more waits to be run here."""
        self._moment.now = now
        if self._unacknowledged:
            if now - self._sent_at >= self._patience:
                self._patience = min(2 * self._patience, LONGEST)
                self._transmit(now, self._unacknowledged[0], again=True)
            return RESEND
        if self._has_news():
            self._news_since = self._news_since or now
            left = self._news_since + HOLD - now
            if more and left > 0:
                return left
        else:
            if not self._unconfirmed_since:
                return RESEND
            if now - self._unconfirmed_since < CONFIRM:
                return CONFIRM
        self._close()
        return RESEND

    def _has_news(self) -> bool:
        return bool(self._groups or self._size)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._full:
            self._close()

    def _close(self) -> None:
        """Number what there is and send it."""
        self._number += 1
        report = self._next
        report.number, report.seen, report.pause = self._number, self._seen, self.pause
        self._seen = []
        report.finished = list(self._groups.values())
        self._mark(self._number)
        self._unacknowledged.append(report)
        self._groups, self._next, self._size = {}, self._new(), 0
        self._unconfirmed_since = self._news_since = 0.0
        self._transmit(self._moment.now, report, again=False)

    def _new(self) -> Report:
        return Report(self._node, self._session, 0)

    def _transmit(self, now: float, report: Report, *, again: bool) -> None:
        self._sent_at = now
        report.sent = self._moment.microseconds
        self._send(report.encode(), again)
