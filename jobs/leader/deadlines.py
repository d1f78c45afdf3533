"""End backoffs, and fail jobs after their timeouts. A job that breaks this step is held; the others continue."""

from uuid import UUID

from database import rows
from jobs.leader.bisect import hold, isolate_jobs
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle import due_retries, timeouts


def release_due(*, epoch: int) -> None:
    """Let tasks be placed whose backoff is over."""
    isolate_jobs(
        lambda part: due_retries.release(RECORDS, epoch=epoch, jobs=part), lambda: [job for _, job in RECORDS.due(None)], hold
    )


def expire_jobs(*, epoch: int) -> None:
    """Fail jobs that waited or ran for longer than they may."""
    isolate_jobs(lambda part: timeouts.expire(RECORDS, epoch=epoch, jobs=part), _with_timeouts, hold)


def _with_timeouts() -> list[UUID]:
    found = rows.fetch(
        "SELECT id FROM jobs_job WHERE ended_at IS NULL AND held_reason = '' AND spec ? 'timeouts' ORDER BY id"
    )
    return [id_ for (id_,) in found]
