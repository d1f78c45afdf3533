"""Results of tasks as JSON texts, wherever they are kept: short ones in the row, long ones among the artifacts."""

from artifacts.storage import storage
from database import rows
from scheduling.lifecycle import TaskState


def result_texts(stage: int) -> list[str | None]:
    """Return the results of a stage's tasks by index; None for a task that has none."""
    found = rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') END, result_digest FROM jobs_task "
        "WHERE stage_id = %s ORDER BY index",
        [int(TaskState.FINISHED), stage],
    )
    return [_read(digest) if digest else text for text, digest in found]


def _read(digest: str) -> str:
    return storage().read(digest).decode()
