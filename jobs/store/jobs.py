"""Jobs as the rules ask for them: without their stages."""

from collections.abc import Collection
from uuid import UUID

from database import rows
from jobs.store.tables import JOB_COLUMNS, read_job
from switchyard.scheduling.lifecycle.facts import Deadline
from switchyard.scheduling.lifecycle.rows import JobRow
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TASK_PLACES, TaskState

_OF_JOB = "stage_id IN (SELECT id FROM jobs_stage WHERE job_id = %s)"


def lock_jobs(jobs: Collection[UUID]) -> list[JobRow]:
    """Lock jobs, in the order of their ids, and return them."""
    found = rows.fetch(
        f"SELECT {JOB_COLUMNS} FROM jobs_job j WHERE j.id = ANY(%s) ORDER BY j.id FOR NO KEY UPDATE", [list(jobs)]
    )
    return [read_job(row) for row in found]


def deadlines(jobs: Collection[UUID] | None) -> list[Deadline]:
    """Return jobs of which a timeout may be over, without those that are held or suspended; of these alone, if given."""
    found = rows.fetch(
        """SELECT j.id, extract(epoch FROM j.created_at)::float8, extract(epoch FROM j.started_at)::float8, t.queue, t.run,
            j.suspended_seconds
        FROM jobs_job j CROSS JOIN LATERAL (
            SELECT (j.spec -> 'timeouts' ->> 'queue')::float8 AS queue, (j.spec -> 'timeouts' ->> 'run')::float8 AS run
        ) t
        WHERE j.ended_at IS NULL AND j.held_reason = '' AND j.suspended_at IS NULL AND j.spec ? 'timeouts'
            AND (%s OR j.id = ANY(%s))
            AND j.created_at + least(t.queue, t.run) * interval '1 second' < now() ORDER BY j.id""",
        [jobs is None, list(jobs or ())],
    )
    return [Deadline(*row) for row in found]


def release(job: UUID) -> None:
    """Hold a job no more."""
    rows.execute("UPDATE jobs_job SET held_reason = '' WHERE id = %s AND held_reason <> ''", [job])


def note_suspended(job: UUID, by: str, reason: str) -> None:
    """Note by whom and why a job is suspended from now on."""
    rows.execute(
        "UPDATE jobs_job SET suspended_at = now(), suspended_by = %s, suspend_reason = %s WHERE id = %s", [by, reason, job]
    )


def note_resumed(job: UUID) -> None:
    """Note that a job is suspended no more, and add up for how long it was."""
    rows.execute(
        """UPDATE jobs_job SET suspended_at = NULL, suspended_by = '', suspend_reason = '',
            suspended_seconds = suspended_seconds + coalesce(extract(epoch FROM now() - suspended_at), 0)
        WHERE id = %s""",
        [job],
    )


def is_listed(job: UUID) -> bool:
    """Return whether tasks of a job stand on lists."""
    return bool(rows.fetch(f"SELECT 1 FROM jobs_assignment WHERE {_OF_JOB} LIMIT 1", [job]))


def cancel_rest(job: UUID) -> None:
    """Move all tasks of a job that have not ended to CANCELED, and end its stages, with counters as their tasks say."""
    rows.execute(
        f"UPDATE jobs_task SET state = %s, ended_at = now() WHERE {_OF_JOB} AND NOT state = ANY(%s)",
        [int(TaskState.CANCELED), job, [int(end) for end in TASK_ENDS]],
    )
    rows.execute(
        """UPDATE jobs_stage s SET ended_at = coalesce(s.ended_at, now()), open_needs = 0, unplaced = '{}', blocked = '{}',
            delayed = '{}', next_due = NULL, counts = (
                SELECT array_agg((SELECT count(*) FROM jobs_task t WHERE t.stage_id = s.id AND t.state = i) ORDER BY i)
                FROM generate_series(0, %s - 1) AS i)
        WHERE s.job_id = %s""",
        [TASK_PLACES, job],
    )
