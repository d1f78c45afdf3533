"""The numbers of attempts. A number that an attempt may have used is spent; its record moves to Attempt."""

from collections import defaultdict
from collections.abc import Iterator

from database import rows
from jobs.store.tables import StageRow
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState

RECORD = (
    "attempt, node_id, scheduled_at, started_at, ended_at, exit_class, exit_code, error, metrics, accumulators, logs, inputs"
)
#: Tasks of one entry at the most, so that any part of it can be named in a message.
LONGEST = 20_000


def number(stage: StageRow, indexes: IndexSet) -> list[tuple[int, IndexSet]]:
    """Give tasks that are about to be placed their attempt numbers; return them by number, in parts that make an entry.

    Tasks that never began keep their number. A CREATED task with an end has spent its number.
    """
    again = indexes & stage.spent
    if not again:
        return list(_divided(0, indexes))
    _archive(stage, again)
    groups: dict[int, list[int]] = defaultdict(list)
    for index, attempt in rows.fetch(
        "SELECT index, attempt FROM jobs_task WHERE stage_id = %s AND index = ANY(%s)",
        [stage.id, list(again)],
    ):
        groups[attempt].append(index)
    numbered = [(attempt, IndexSet.from_indexes(members)) for attempt, members in sorted(groups.items())]
    return [part for attempt, members in ((0, indexes - again), *numbered) for part in _divided(attempt, members)]


def _divided(attempt: int, members: IndexSet) -> Iterator[tuple[int, IndexSet]]:
    left = members
    while left:
        part, left = left.take(LONGEST)
        yield attempt, part


def _archive(stage: StageRow, indexes: IndexSet) -> None:
    condition = "stage_id = %s AND index = ANY(%s) AND state = %s AND ended_at IS NOT NULL"
    values = [stage.id, list(indexes), int(TaskState.CREATED)]
    rows.execute(
        f"INSERT INTO jobs_attempt (stage_id, index, state, {RECORD}) "
        f"SELECT stage_id, index, %s, {RECORD} FROM jobs_task WHERE {condition}",
        [int(TaskState.FAILED), *values],
    )
    rows.execute(
        "UPDATE jobs_task SET attempt = attempt + 1, node_id = NULL, scheduled_at = NULL, started_at = NULL, "
        "ended_at = NULL, exit_class = NULL, exit_code = NULL, error = NULL, metrics = NULL, accumulators = NULL, "
        f"logs = NULL, inputs = NULL, not_before = NULL WHERE {condition}",
        values,
    )
