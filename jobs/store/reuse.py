"""What a retry takes of the job that it repeats."""

from uuid import UUID

from artifacts.kinds import Kind
from artifacts.references import refer
from database import rows
from jobs.store import items
from jobs.store.columns import REUSED
from jobs.store.expansion import insert_tasks
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Namesakes
from switchyard.scheduling.lifecycle.states import TaskState


def namesakes(old: UUID, new: UUID) -> list[Namesakes]:
    """Return the stages of two jobs that have the same names, in their order."""
    found = rows.fetch(
        "SELECT o.id, n.id, o.parallelism, o.counts[%s], jsonb_typeof(o.spec -> 'foreach') IS NOT DISTINCT FROM 'object' "
        "FROM jobs_stage o JOIN jobs_stage n ON n.job_id = %s AND n.name = o.name WHERE o.job_id = %s ORDER BY n.position",
        [int(TaskState.FINISHED) + 1, new, old],
    )
    return [Namesakes(*row) for row in found]


def copy_items(old: int, new: int, count: int) -> None:
    """Give a stage the items of another, and a task for each."""
    items.copy(old, new)
    insert_tasks([(new, count)])


def copy_finished(old: int, new: int) -> IndexSet:
    """Copy the finished tasks of a stage over those of another, and return which they are."""
    assignments = ", ".join(f"{name} = o.{name}" for name in REUSED)
    [(copied, job, digests)] = rows.fetch(
        f"""WITH moved AS (
            UPDATE jobs_task n SET state = o.state, {assignments} FROM jobs_task o
            WHERE o.stage_id = %s AND o.state = %s AND n.stage_id = %s AND n.index = o.index
            RETURNING n.index, n.result_digest, n.files
        ) SELECT range_agg(int4range(index, index + 1))::text, (SELECT job_id FROM jobs_stage WHERE id = %s),
            array_remove(array_agg(DISTINCT result_digest), NULL)
                || ARRAY(SELECT DISTINCT file ->> 2 FROM moved, jsonb_array_elements(moved.files) file)
        FROM moved""",
        [old, int(TaskState.FINISHED), new, new],
    )
    # The old job, whose references keep them so far, is locked.
    refer(Kind.JOB, [(job, digest) for digest in digests or ()])
    return IndexSet.from_multirange(copied or "{}")
