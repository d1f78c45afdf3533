"""Results of tasks as JSON texts, wherever they are kept: short ones in the row, long ones among the artifacts.

And which tasks will never give any.
"""

from collections.abc import Iterable

from artifacts.storage import storage
from database import rows
from scheduling.indexes import IndexSet
from scheduling.lifecycle import TaskState


def result_texts(stage: int) -> list[str | None]:
    """Return the results of a stage's tasks by index; None for a task that has none."""
    found = rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') END, result_digest FROM jobs_task "
        "WHERE stage_id = %s ORDER BY index",
        [int(TaskState.FINISHED), stage],
    )
    return [_read(digest) if digest else text for text, digest in found]


def canceled_of(stages: Iterable[int]) -> dict[int, IndexSet]:
    """Return which tasks of these stages were canceled, by stage; of none of whose were, nothing."""
    wanted = list(stages)
    if not wanted:
        return {}
    found = rows.fetch(
        "SELECT stage_id, range_agg(int4range(index, index + 1))::text FROM jobs_task "
        "WHERE stage_id = ANY(%s) AND state = %s GROUP BY 1",
        [wanted, int(TaskState.CANCELED)],
    )
    return {stage: IndexSet.from_multirange(indexes) for stage, indexes in found}


def _read(digest: str) -> str:
    return storage().read(digest).decode()
