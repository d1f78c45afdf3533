"""Reports: what has ended since the last one, numbered, kept until acknowledged, sent again when that takes too long."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from agent.messages import Finished, Report

#: Seconds after which an unacknowledged report is sent again.
RESEND = 1.0
#: Seconds for which a mere confirmation waits for something to go with.
CONFIRM = 0.2


class Reports:
    """Collects what happened; one report is under way at a time, and what happens meanwhile goes into the next."""

    def __init__(self, node: int, session: str, send: Callable[[dict[str, Any]], None]) -> None:
        self._node = node
        self._session = session
        self._send = send
        self._number = 0
        self._unacknowledged: deque[Report] = deque()
        self._groups: dict[tuple[int, int], Finished] = {}
        self._others: list[dict[str, Any]] = []
        self._starts: list[list[Any]] = []
        self._returns: list[list[Any]] = []
        self._sent_at = 0.0
        self._unconfirmed_since = 0.0
        self._seen = 0

    def finished(self, stage: int, attempt: int, index: int, begun: int, ended: int, result: str) -> None:
        """Note a task that finished."""
        group = self._groups.get((stage, attempt))
        if group is None:
            group = self._groups[stage, attempt] = Finished(stage, attempt)
        group.indexes.append(index)
        group.begun.append(begun)
        group.ended.append(ended)
        group.results.append(result)

    def other(self, end: dict[str, Any]) -> None:
        """Note an end that has more to tell."""
        self._others.append(end)

    def started(self, stage: int, attempt: int, index: int, begun: int) -> None:
        """Note that a task runs."""
        self._starts.append([stage, attempt, [index], [begun]])

    def seen(self, command: int, acknowledged: int) -> None:
        """Note the number of a command that arrived, and drop the reports that it acknowledges."""
        self._seen = command
        self._unconfirmed_since = self._unconfirmed_since or time.monotonic()
        while self._unacknowledged and self._unacknowledged[0].number <= acknowledged:
            self._unacknowledged.popleft()

    def results_of(self, stage: int) -> Iterator[tuple[int, str | None]]:
        """Yield index and result of what finished here and is not acknowledged."""
        groups = [group for report in self._unacknowledged for group in report.finished]
        for group in [*groups, *self._groups.values()]:
            if group.stage == stage:
                yield from zip(group.indexes, group.results, strict=True)

    def flush(self, now: float) -> float:
        """Send what is due; return in how many seconds to look again."""
        if self._unacknowledged:
            if now - self._sent_at >= RESEND:
                self._transmit(now)
            return RESEND
        if self._groups or self._others or self._starts or self._returns:
            self._close(now)
        elif self._unconfirmed_since:
            if now - self._unconfirmed_since < CONFIRM:
                return CONFIRM
            self._close(now)
        return RESEND

    def _close(self, now: float) -> None:
        self._number += 1
        self._unacknowledged.append(
            Report(
                self._node,
                self._session,
                self._number,
                self._seen,
                finished=list(self._groups.values()),
                others=self._others,
                starts=self._starts,
                returns=self._returns,
            )
        )
        self._groups, self._others, self._starts, self._returns = {}, [], [], []
        self._unconfirmed_since = 0.0
        self._transmit(now)

    def _transmit(self, now: float) -> None:
        self._sent_at = now
        for report in self._unacknowledged:
            report.sent = time.monotonic_ns() // 1000
            self._send(report.encode())
