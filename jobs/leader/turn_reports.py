"""Apply the reports of a turn: all at once, by halves after a failure, and a single bad report stage by stage."""

from collections.abc import Callable, Sequence

import structlog

from jobs.inbox import Arrived
from jobs.leader import agent_reports, salvaging, watchdog
from jobs.leader.agent_reports import Applied
from jobs.leader.bisect import isolate
from jobs.leader.memory import Memory
from jobs.models import Figure
from switchyard.leader.ports import Clock
from switchyard.messaging.messages import Report

log = structlog.get_logger()
Confirm = Callable[[Sequence[Report], Applied], None]


class Applying:
    """The reports of one turn; `blaming` says whether this process has listened for long enough to charge lost tasks."""

    def __init__(self, memory: Memory, confirm: Confirm, clock: Clock, *, epoch: int, blaming: bool) -> None:
        self._memory = memory
        self._note_confirmed = confirm
        self._clock = clock
        self._epoch = epoch
        self._blaming = blaming
        self._salvaged: list[Applied] = []

    def run(self, reports: Sequence[Report]) -> list[Applied]:
        """Apply reports, and return what came of each part that was applied as one."""
        return [*isolate(reports, self._apply, self._blame), *self._salvaged]

    def _apply(self, part: Sequence[Report]) -> Applied:
        how = salvaging.by_stage if watchdog.is_suspected() else agent_reports.apply
        return self._confirm(part, how(part, self._memory.measures, epoch=self._epoch, blaming=self._blaming))

    def _blame(self, report: Report, reason: str) -> None:
        log.error("report not applied, taking it apart", node=report.node, reason=reason)
        self._salvaged.extend(isolate([report], self._salvage, _lose))

    def _salvage(self, part: Sequence[Report]) -> Applied:
        [report] = part
        return self._confirm(part, salvaging.salvage(report, self._memory.measures, epoch=self._epoch))

    def _confirm(self, part: Sequence[Report], applied: Applied) -> Applied:
        self._memory.tally.report(applied.accepted, applied.ends, applied.begun)
        self._note_confirmed(part, applied)
        for report in part:
            if isinstance(report, Arrived):
                self._memory.recorder.add(Figure.Name.LAG, self._clock.monotonic() - report.arrived)
        return applied


def _lose(report: Report, reason: str) -> None:
    log.error("report lost", node=report.node, reason=reason)
