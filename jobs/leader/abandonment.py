"""End a job that is stopping and has inconsistent rows, by those facts in them that are certain."""

from uuid import UUID

from django.db import transaction

from database import rows
from jobs.store import held_lease
from nodes import events
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TASK_PLACES, JobState, TaskState


class OnLists(SwitchyardError):
    """Tasks of it stand on lists of nodes: they must be confirmed as ended first."""


def end_plainly(job: UUID, *, epoch: int) -> None:
    """Cancel all that has not ended of a job that stands on no list, and end its stages and itself."""
    with transaction.atomic():
        held_lease.check(epoch)
        ((state,),) = rows.fetch("SELECT state FROM jobs_job WHERE id = %s FOR NO KEY UPDATE", [job])
        of_job = "stage_id IN (SELECT id FROM jobs_stage WHERE job_id = %s)"
        if rows.fetch(f"SELECT 1 FROM jobs_assignment WHERE {of_job} LIMIT 1", [job]):
            raise OnLists
        rows.execute(
            f"UPDATE jobs_task SET state = %s, ended_at = now() WHERE {of_job} AND NOT state = ANY(%s)",
            [int(TaskState.CANCELED), job, [int(end) for end in TASK_ENDS]],
        )
        _end_stages(job)
        after = JobState.FAILED if state == JobState.FAILING else JobState.CANCELED
        rows.execute(
            "UPDATE jobs_job SET state = %s, held_reason = '', stages_ended = stages_total, ended_at = now() WHERE id = %s",
            [after, job],
        )
        events.record([Told(f"job_{after.name.lower()}", "The job was ended plainly: its rows are odd.", job)])


def _end_stages(job: UUID) -> None:
    """End the job's stages, with counters as their tasks say."""
    rows.execute(
        """UPDATE jobs_stage s SET ended_at = coalesce(s.ended_at, now()), open_needs = 0, unplaced = '{}', blocked = '{}',
            delayed = '{}', next_due = NULL, counts = (
                SELECT array_agg((SELECT count(*) FROM jobs_task t WHERE t.stage_id = s.id AND t.state = i) ORDER BY i)
                FROM generate_series(0, %s - 1) AS i)
        WHERE s.job_id = %s""",
        [TASK_PLACES, job],
    )
