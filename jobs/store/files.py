"""The files that tasks hand on: named on their rows, kept as artifacts as long results are."""

from database import rows
from switchyard.scheduling.lifecycle.states import TaskState

#: In SQL, the digests of what is kept as artifacts of a task `t`.
KEPT = """CROSS JOIN LATERAL (
    SELECT t.result_digest WHERE t.result_digest IS NOT NULL
    UNION ALL SELECT file ->> 2 FROM jsonb_array_elements(t.files) file
) AS kept(digest)"""


def is_handed(stage: int, producer: int, index: int, digest: str) -> bool:
    """Return whether a finished task of a stage that another needs hands on a file of this digest."""
    return bool(
        rows.fetch(
            "SELECT 1 FROM jobs_task t JOIN jobs_edge e ON e.consumer_id = %s AND e.producer_id = t.stage_id "
            "WHERE t.stage_id = %s AND t.index = %s AND t.state = %s "
            "AND %s IN (SELECT file ->> 2 FROM jsonb_array_elements(t.files) file)",
            [stage, producer, index, int(TaskState.FINISHED), digest],
        )
    )
