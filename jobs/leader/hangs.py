"""Find and hold a job that blocks the leader until the watchdog ends it.

The watchdog notes the step, and the job if the leader was at one alone. The next leader works job by job at that step for a
while, so that the culprit is noted by name. A job that ended the leader twice in a row at one step is held.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from database import rows
from jobs.leader import stopping, watchdog
from jobs.leader.bisect import hold
from nodes import events
from switchyard.leader.pieces import limited
from switchyard.leader.ports import Clock
from switchyard.leader.turns import REPORTS, STOP
from switchyard.messaging.messages import Report
from switchyard.scheduling.lifecycle.apply_reports import stages_in
from switchyard.scheduling.lifecycle.events import Told

log = structlog.get_logger()
#: Seconds in which a leader has got over what ended the one before: agents have repeated their reports by then.
OVER = 60.0
#: Holds for stages `s` of jobs that are left out of a step.
BARRED = """EXISTS (SELECT FROM jobs_failedstep f JOIN jobs_job j ON j.id = f.job_id
    WHERE f.job_id = s.job_id AND f.held AND f.step = %s AND j.held_reason <> '')"""


def note(step: str, items: Sequence[object]) -> None:
    """Note that the leader is ended at a step, and the job if it was at one alone; `items` are jobs or stages."""
    job = _job(items[0]) if len(items) == 1 else None
    with transaction.atomic():
        rows.execute(
            "INSERT INTO jobs_failedstep (step, job_id, count, held, at) VALUES (%s, %s, 1, false, now()) "
            "ON CONFLICT (step, job_id) DO UPDATE SET count = jobs_failedstep.count + 1, held = false, at = now()",
            [step, job],
        )
        text = f"The scheduler was ended: its step {step} did not end {'for this job ' if job else ''}in time."
        events.record([Told("leader_hung", text, job)])


class Hangs:
    """What leaders before this one were ended at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._barring = False

    def judge(self, *, epoch: int) -> None:
        """Hold the jobs that ended the leader twice in a row at one step, and suspect those steps."""
        watchdog.get_on("judge")
        for step, job in rows.fetch(
            """SELECT last.step, last.job_id FROM (
                SELECT DISTINCT ON (step) * FROM jobs_failedstep WHERE NOT held ORDER BY step, at DESC
            ) last JOIN jobs_job j ON j.id = last.job_id WHERE j.ended_at IS NULL AND (last.count > 1 OR EXISTS (
                SELECT FROM jobs_failedstep h WHERE h.step = last.step AND h.job_id IS NULL))"""
        ):
            _hold(step, job, epoch=epoch)
        self._look()

    def step(self) -> None:
        """Forget what this leader has got over, and jobs that are held no more."""
        gone = rows.fetch(
            "DELETE FROM jobs_failedstep f WHERE NOT held AND %s OR held AND NOT EXISTS ("
            "SELECT FROM jobs_job j WHERE j.id = f.job_id AND j.held_reason <> '') RETURNING 1",
            [self._clock.monotonic() - self._since > OVER],
        )
        if gone:
            self._look()

    def admit(self, reports: Sequence[Report]) -> Sequence[Report]:
        """Leave out of reports what they tell of jobs that are held because the leader does not end with their reports."""
        barred = self._barred(stages_in(reports)) if self._barring else set()
        if not barred:
            return reports
        log.error("reports of held jobs are left out", stages=sorted(barred))
        return [limited(report, stages_in([report]) - barred) for report in reports]

    def _look(self) -> None:
        found = rows.fetch("SELECT step, held FROM jobs_failedstep")
        watchdog.suspect({step for step, held in found if not held})
        self._barring = (REPORTS, True) in found

    def _barred(self, stages: set[int]) -> set[int]:
        found = rows.fetch(f"SELECT s.id FROM jobs_stage s WHERE s.id = ANY(%s) AND {BARRED}", [list(stages), REPORTS])
        return {id_ for (id_,) in found}


def bar(job: UUID, reason: str, *, step: str) -> None:
    """Hold a job, and leave it out of a step that works on held jobs too."""
    with transaction.atomic():
        rows.execute(
            "INSERT INTO jobs_failedstep (step, job_id, count, held, at) VALUES (%s, %s, 0, true, now()) "
            "ON CONFLICT (step, job_id) DO UPDATE SET count = 0, held = true",
            [step, job],
        )
        hold(job, reason)


def _hold(step: str, job: UUID, *, epoch: int) -> None:
    reason = (
        f"The scheduler was ended twice in a row: its step {step} did not end for this job within {watchdog.LIMIT:.0f} s."
    )
    log.error("a job ended the leader twice", job=str(job), step=step)
    bar(job, reason, step=step)
    if step == STOP:
        watchdog.get_on(items=[job])
        stopping.end_plainly(job, reason, epoch=epoch)


def _job(item: Any) -> UUID | None:
    if isinstance(item, UUID):
        return item
    found = rows.fetch("SELECT job_id FROM jobs_stage WHERE id = %s", [item]) if isinstance(item, int) else []
    return found[0][0] if found else None
