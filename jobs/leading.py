"""Leading: the loop of the one scheduler worker that holds the lease. All of the main path's decisions are taken here."""

import time
from collections.abc import Callable
from queue import Empty
from typing import Any

import structlog
from django.db import connection

from agent.messages import Report
from jobs import lease, placing, reporting, rows
from jobs.dispatching import Dispatcher
from jobs.inbox import inbox
from jobs.measuring import Measures
from scheduling.plan import Policy

log = structlog.get_logger()
TICK = 1.0


class Leader:
    """Works while it holds the lease; raises LeaseLost when another took over."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._dispatcher = Dispatcher(epoch)
        self._measures = Measures()
        self._renewed = time.monotonic()
        self._ticked = 0.0
        with connection.cursor() as cursor:
            cursor.execute(rows.LEADER_SETTINGS)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Work until told to stop, then give the lease back."""
        self._dispatcher.send_lists("true", [])
        while not stopping():
            self._work(_take(self._ticked + TICK - time.monotonic()))
        lease.release(self._epoch)

    def _work(self, arrived: list[Any]) -> None:
        reports = [item for item in arrived if item is not None]
        now = time.monotonic()
        applied = reporting.apply(reports, self._measures, epoch=self._epoch) if reports else reporting.Applied()
        for report in applied.accepted:
            self._dispatcher.confirm(report.session, report.seen, applied.acknowledged[report.node])
        placed = placing.place_pending(self._measures, policy=Policy(), epoch=self._epoch)
        self._dispatcher.dispatch(placed.assignments, _sessions(reports))
        if now - self._ticked >= TICK:
            self._ticked = now
            self._dispatcher.resend(now)
        if now - self._renewed >= lease.RENEWED_EVERY:
            lease.renew(self._epoch)
            self._renewed = now


def _sessions(reports: list[Report]) -> list[str]:
    return list({report.session: None for report in reports})


def _take(seconds: float) -> list[Any]:
    """Wait for something to arrive, at most so long, and take all that is there."""
    try:
        arrived = [inbox.get(timeout=max(seconds, 0.001))]
    except Empty:
        return []
    while True:
        try:
            arrived.append(inbox.get_nowait())
        except Empty:
            return arrived
