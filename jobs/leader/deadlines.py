"""End backoffs, and fail jobs after their timeouts. A job that breaks this step is held; the others continue."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.leader.bisect import hold, isolate_jobs
from jobs.store import held_lease
from jobs.store.records import RECORDS
from nodes import events
from switchyard.scheduling.lifecycle import due_retries
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.states import JobState


def release_due(*, epoch: int) -> None:
    """Let tasks be placed whose backoff is over."""
    isolate_jobs(
        lambda part: due_retries.release(RECORDS, epoch=epoch, jobs=part), lambda: [job for _, job in RECORDS.due(None)], hold
    )


def expire_jobs(*, epoch: int) -> None:
    """Fail jobs that waited or ran for longer than they may."""
    isolate_jobs(lambda part: _expire(part, epoch), _with_timeouts, hold)


def _with_timeouts() -> list[UUID]:
    found = rows.fetch(
        "SELECT id FROM jobs_job WHERE ended_at IS NULL AND held_reason = '' AND spec ? 'timeouts' ORDER BY id"
    )
    return [id_ for (id_,) in found]


def _expire(jobs: Sequence[UUID] | None, epoch: int) -> None:
    with transaction.atomic():
        held_lease.check(epoch)
        for column, condition, name, text in (
            ("created_at", "started_at IS NULL", "queue", "waited longer than its queue timeout"),
            ("started_at", "started_at IS NOT NULL", "run", "ran longer than its run timeout"),
        ):
            found = rows.fetch(
                f"""UPDATE jobs_job SET state = %s, error = %s WHERE ended_at IS NULL AND held_reason = '' AND {condition}
                AND state = ANY(%s) AND (%s OR id = ANY(%s))
                AND {column} + (spec -> 'timeouts' ->> '{name}')::float8 * interval '1 second' < now()
                RETURNING id""",
                [
                    int(JobState.FAILING),
                    f"the job {text}",
                    [int(JobState.CREATED), int(JobState.RUNNING)],
                    jobs is None,
                    list(jobs or ()),
                ],
            )
            events.record(Told("job_failing", f"The job {text}.", id_) for (id_,) in found)
