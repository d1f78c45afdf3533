"""Backoffs that are over and timeouts of jobs. A job that makes this step fail is held; the others go on."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.leader import lease
from jobs.leader.bisect import hold, isolate_jobs
from jobs.store.work import Board
from nodes import events
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState


def release_due(*, epoch: int) -> None:
    """Let tasks be placed whose backoff is over."""
    isolate_jobs(lambda part: _release(part, epoch), lambda: [job for _, job in _due(None)], hold)


def expire_jobs(*, epoch: int) -> None:
    """Fail jobs that waited or ran for longer than they may."""
    isolate_jobs(lambda part: _expire(part, epoch), _with_timeouts, hold)


def _due(jobs: Sequence[UUID] | None) -> list[tuple[int, UUID]]:
    found: list[tuple[int, UUID]] = rows.fetch(
        "SELECT s.id, s.job_id FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE s.ended_at IS NULL "
        "AND s.next_due <= now() AND j.held_reason = '' AND (%s OR s.job_id = ANY(%s)) ORDER BY s.id LIMIT 1000",
        [jobs is None, list(jobs or ())],
    )
    return found


def _release(jobs: Sequence[UUID] | None, epoch: int) -> None:
    due = _due(jobs)
    if not due:
        return
    with transaction.atomic():
        lease.check(epoch)
        board = Board()
        board.lock_stages(stage for stage, _ in due)
        for stage in board.stages.values():
            waiting = rows.fetch(
                "SELECT index, extract(epoch FROM not_before)::float8 FROM jobs_task WHERE stage_id = %s AND index = ANY(%s) "
                "AND not_before > now()",
                [stage.id, list(stage.delayed)],
            )
            stage.delayed = IndexSet.from_indexes(index for index, _ in waiting)
            stage.next_due = min((at for _, at in waiting), default=None)
            stage.changed = True
        board.write()


def _with_timeouts() -> list[UUID]:
    found = rows.fetch(
        "SELECT id FROM jobs_job WHERE ended_at IS NULL AND held_reason = '' AND spec ? 'timeouts' ORDER BY id"
    )
    return [id_ for (id_,) in found]


def _expire(jobs: Sequence[UUID] | None, epoch: int) -> None:
    with transaction.atomic():
        lease.check(epoch)
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
            events.record(events.Told("job_failing", f"The job {text}.", id_) for (id_,) in found)
