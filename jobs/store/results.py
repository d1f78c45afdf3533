"""Results of tasks as JSON texts: short ones in the row, long ones in artifacts.

And which tasks will never give any.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from artifacts.storage import storage
from database import rows
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TASK_ENDS, TaskState


def result_texts(stage: int) -> list[str | None]:
    """Return the results of a stage's tasks by index; None for a task that has none."""
    found = rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') END, result_digest FROM jobs_task "
        "WHERE stage_id = %s ORDER BY index",
        [int(TaskState.FINISHED), stage],
    )
    return [_read(digest) if digest else text for text, digest in found]


def outcomes_of(stage: int, producer: int, tasks: IndexSet) -> dict[str, Any] | None:
    """Return what is known of some tasks of a stage that another needs; None if that one needs no such stage.

    `given` are results as [index, JSON text], `failed` tasks that ended without one, `left_out` those that a drain has
    kept from beginning, both as ranges. What has not ended is in none of them.
    """
    draining = rows.fetch(
        "SELECT j.draining FROM jobs_edge e JOIN jobs_job j ON j.id = e.job_id "
        "WHERE e.consumer_id = %s AND e.producer_id = %s",
        [stage, producer],
    )
    if not draining:
        return None
    found = rows.fetch(
        "SELECT index, state, coalesce(result::text, 'null'), result_digest FROM unnest(%s::int4multirange) AS asked "
        "JOIN jobs_task ON stage_id = %s AND index >= lower(asked) AND index < upper(asked) AND state = ANY(%s) "
        "ORDER BY index",
        [tasks.to_multirange(), producer, [int(state) for state in TASK_ENDS]],
    )
    without = defaultdict(list)
    for index, state, _, _ in found:
        without[kind_of(TaskState(state), draining=draining[0][0])].append(index)
    finished = TaskState.FINISHED
    return {
        "given": [(index, _read(digest) if digest else text) for index, state, text, digest in found if state == finished],
        **{kind: IndexSet.from_indexes(without[kind]).to_json() for kind in ("failed", "left_out")},
    }


def kind_of(state: TaskState, *, draining: bool) -> str:
    """Return what an ended task is to those that need it: given, failed or left out."""
    if state == TaskState.FINISHED:
        return "given"
    return "left_out" if draining and state == TaskState.CANCELED else "failed"


def ended_without(stages: Iterable[int]) -> dict[int, dict[TaskState, IndexSet]]:
    """Return which tasks of these stages ended without a result, by stage and state."""
    wanted = list(stages)
    if not wanted:
        return {}
    ended: dict[int, dict[TaskState, IndexSet]] = defaultdict(dict)
    found = rows.fetch(
        "SELECT stage_id, state, range_agg(int4range(index, index + 1))::text FROM jobs_task "
        "WHERE stage_id = ANY(%s) AND state = ANY(%s) GROUP BY 1, 2",
        [wanted, [int(TaskState.CANCELED), int(TaskState.FAILED)]],
    )
    for stage, state, indexes in found:
        ended[stage][TaskState(state)] = IndexSet.from_multirange(indexes)
    return ended


def _read(digest: str) -> str:
    return storage().read(digest).decode()
