"""Delete jobs that ended long ago, with their logs and results, in bounded steps.

`expire` deletes rows and is quick; `sweep` deletes the files that no row speaks of any more, and may take seconds.
Both may be called at any time, by several processes, and be cut short: the next call goes on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from artifacts.collection import collect
from artifacts.logs import logs
from database import rows
from jobs.commands.control import delete_jobs
from jobs.store import states
from switchyard.scheduling.lifecycle.states import TaskState

#: Tasks that one transaction deletes at the most, as everywhere.
CHUNK = 5000
JOBS_AT_ONCE = 200
#: For so long an operation is kept that is of no job.
LONE_OPERATION = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Expired:
    """What one step deleted; nothing at all means that nothing is left to do."""

    jobs: int = 0
    tasks: int = 0
    events: int = 0
    operations: int = 0
    states: int = 0

    def __bool__(self) -> bool:
        return bool(self.jobs or self.tasks or self.events or self.operations or self.states)


def expire(now: datetime, limit: int = CHUNK) -> Expired:
    """Delete what ended KEEP_DAYS ago, at most `limit` tasks of it, in one transaction."""
    before = now - timedelta(days=settings.KEEP_DAYS)
    with transaction.atomic():
        found = _expired_jobs(before)
        if found and found[0][1] > limit:
            return Expired(tasks=_delete_tasks(found[0][0], limit))
        if found:
            return _delete_whole(found, limit)
        return Expired(
            events=_delete_events(before, limit),
            operations=_delete_operations(now - LONE_OPERATION, limit),
            states=states.discard_spent(limit),
        )


def sweep(now: datetime) -> int:
    """Delete logs of stages that are gone, and artifacts that nothing refers to; return how many of both."""
    return _sweep_logs() + collect(now)


def _expired_jobs(before: datetime) -> list[tuple[UUID, int]]:
    """Lock the oldest jobs to go and count their tasks; those that somebody works on wait for the next call.

    A job with a savepoint stays until that is disposed of.
    """
    locked = rows.fetch(
        "SELECT id FROM jobs_job j WHERE ended_at < %s AND NOT EXISTS (SELECT FROM jobs_checkpoint c WHERE c.job_id = j.id "
        "AND c.is_savepoint AND NOT c.discarded) ORDER BY ended_at LIMIT %s FOR UPDATE SKIP LOCKED",
        [before, JOBS_AT_ONCE],
    )
    return rows.fetch(
        "SELECT j.id, coalesce(sum(c), 0)::bigint FROM jobs_job j LEFT JOIN jobs_stage s ON s.job_id = j.id "
        "LEFT JOIN LATERAL unnest(s.counts) c ON true WHERE j.id = ANY(%s) GROUP BY j.id ORDER BY j.ended_at",
        [[id_ for (id_,) in locked]],
    )


def _delete_whole(found: list[tuple[UUID, int]], limit: int) -> Expired:
    chosen, tasks = [], 0
    for job, count in found:
        if tasks + count > limit:
            break
        chosen.append(job)
        tasks += count
    delete_jobs(chosen)
    return Expired(len(chosen), tasks)


def _delete_tasks(job: UUID, limit: int) -> int:
    """Delete some tasks of a job that has too many for one transaction; its counters keep telling what is there."""
    ((stage, counts),) = rows.fetch(
        "SELECT id, counts FROM jobs_stage WHERE job_id = %s AND (SELECT sum(c) FROM unnest(counts) c) > 0 "
        "ORDER BY position LIMIT 1",
        [job],
    )
    gone = rows.fetch(
        "WITH gone AS (DELETE FROM jobs_task WHERE stage_id = %s AND index < (SELECT min(index) FROM jobs_task "
        "WHERE stage_id = %s) + %s RETURNING state, index) SELECT state, count(*), max(index) FROM gone GROUP BY 1",
        [stage, stage, limit],
    )
    for state, number, _ in gone:
        counts[TaskState(state)] -= number
    rows.execute("UPDATE jobs_stage SET counts = %s WHERE id = %s", [counts, stage])
    last = max(index for _, _, index in gone)
    rows.execute("DELETE FROM jobs_attempt WHERE stage_id = %s AND index <= %s", [stage, last])
    return sum(number for _, number, _ in gone)


def _delete_events(before: datetime, limit: int) -> int:
    """Delete old events that belong to no job; the others go with theirs."""
    return len(
        rows.fetch(
            "DELETE FROM nodes_event WHERE id IN (SELECT id FROM nodes_event WHERE job_id IS NULL AND at < %s "
            "ORDER BY at LIMIT %s) RETURNING 1",
            [before, limit],
        )
    )


def _delete_operations(before: datetime, limit: int) -> int:
    """Delete operations that ended before and are of no job; the others go with theirs."""
    return len(
        rows.fetch(
            "DELETE FROM jobs_operation WHERE id IN (SELECT id FROM jobs_operation WHERE job_id IS NULL AND ended_at < %s "
            "ORDER BY ended_at LIMIT %s) RETURNING 1",
            [before, limit],
        )
    )


def _sweep_logs() -> int:
    kept = logs().stages()
    there = {id_ for (id_,) in rows.fetch("SELECT id FROM jobs_stage WHERE id = ANY(%s)", [kept])}
    gone = [stage for stage in kept if stage not in there]
    for stage in gone:
        logs().delete(stage)
    return len(gone)
