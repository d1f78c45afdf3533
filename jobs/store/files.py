"""The files that tasks hand on: named on their rows, kept as artifacts."""

from database import rows
from switchyard.scheduling.lifecycle.states import TaskState

#: In SQL, the digests of the files of a task.
DIGESTS = "(SELECT file ->> 2 FROM jsonb_array_elements({task}.files) file)"


def is_handed(stage: int, producer: int, index: int, digest: str) -> bool:
    """Return whether a finished task of a stage that another needs hands on a file of this digest."""
    return bool(
        rows.fetch(
            "SELECT 1 FROM jobs_task t JOIN jobs_edge e ON e.consumer_id = %s AND e.producer_id = t.stage_id "
            "WHERE t.stage_id = %s AND t.index = %s AND t.state = %s "
            f"AND %s IN {DIGESTS.format(task='t')}",
            [stage, producer, index, int(TaskState.FINISHED), digest],
        )
    )
