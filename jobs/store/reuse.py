"""What a retry takes of the job that it repeats."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from artifacts.kinds import Kind
from artifacts.references import refer
from artifacts.storage import storage
from database import rows
from jobs.store import items
from jobs.store.columns import REUSED
from jobs.store.expansion import insert_tasks
from jobs.store.files import KEPT
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Before, Copied, Origin, Reused
from switchyard.scheduling.lifecycle.states import TaskState

_ASSIGNED = ", ".join(f"{name} = o.{name}" for name in REUSED)


def before(job: UUID) -> dict[str, Before]:
    """Return how the stages of a job stand, by name."""
    found = rows.fetch(
        """SELECT s.name, s.id, s.parallelism, s.origins::text, (
            SELECT range_agg(int4range(t.index, t.index + 1))::text FROM jobs_task t WHERE t.stage_id = s.id AND t.state = %s)
        FROM jobs_stage s WHERE s.job_id = %s ORDER BY s.position""",
        [int(TaskState.FINISHED), job],
    )
    gone = _gone(job)
    return {
        name: Before(id_, tasks, IndexSet.from_multirange(finished or "{}"), gone.get(id_, IndexSet()), read_origins(told))
        for name, id_, tasks, told, finished in found
    }


def stage_ids(job: UUID) -> dict[str, int]:
    """Return the stages of a job by name."""
    return dict(rows.fetch("SELECT name, id FROM jobs_stage WHERE job_id = %s", [job]))


def copy_items(old: int, new: int, count: int) -> None:
    """Give a stage the items of another, and a task for each."""
    items.copy(old, new)
    insert_tasks([(new, count)])


def copy_finished(copies: Sequence[Copied]) -> None:
    """Copy finished tasks of stages over the CREATED ones of others, and keep their results for the job that has them now."""
    kept = rows.fetch(
        f"""WITH copied AS (
            UPDATE jobs_task n SET state = o.state, {_ASSIGNED}
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS c(old, new, tasks)
            JOIN jobs_task o ON o.stage_id = c.old AND o.index <@ c.tasks::int4multirange
            WHERE n.stage_id = c.new AND n.index = o.index AND o.state = %s
            RETURNING n.stage_id, n.result_digest, n.files
        ) SELECT DISTINCT s.job_id, kept.digest FROM copied t JOIN jobs_stage s ON s.id = t.stage_id {KEPT}""",
        [*rows.columns([(old, new, tasks.to_multirange()) for old, new, tasks in copies], 3), int(TaskState.FINISHED)],
    )
    # The old job, whose references keep them so far, is locked.
    refer(Kind.JOB, kept)


def write_reused(reused: Sequence[Reused]) -> None:
    """Write which tasks of stages stand from other jobs, and why others do not."""
    rows.execute(
        """UPDATE jobs_stage s SET reused = c.reused::int4multirange, origins = c.origins::jsonb, rerun = c.rerun::jsonb
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS c(id, reused, origins, rerun) WHERE s.id = c.id""",
        rows.columns(
            [
                (stage, _all(origins).to_multirange(), _written(origins), json.dumps(reasons))
                for stage, origins, reasons in reused
            ],
            4,
        ),
    )


def read_origins(text: str | None) -> tuple[Origin, ...]:
    """Read where results were made that stand in a stage, as they are stored."""
    return tuple(Origin(job, stage, IndexSet.from_json(tasks)) for job, stage, tasks in json.loads(text or "[]"))


def _written(origins: Iterable[Origin]) -> str:
    return json.dumps([[job, stage, tasks.to_json()] for job, stage, tasks in origins])


def _all(origins: Iterable[Origin]) -> IndexSet:
    return IndexSet.of(span for origin in origins for span in origin.tasks.ranges)


def _gone(job: UUID) -> dict[int, IndexSet]:
    """Return the finished tasks of a job's stages of which a result or file is an artifact that is not stored."""
    found = rows.fetch(
        "SELECT t.stage_id, t.index, kept.digest FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id "
        f"{KEPT} WHERE s.job_id = %s AND t.state = %s",
        [job, int(TaskState.FINISHED)],
    )
    absent = storage().missing({digest for _, _, digest in found})
    gone: dict[int, list[int]] = {}
    for stage, index, digest in found:
        if digest in absent:
            gone.setdefault(stage, []).append(index)
    return {stage: IndexSet.from_indexes(indexes) for stage, indexes in gone.items()}
