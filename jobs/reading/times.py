"""Times of tasks of some stages: placement, start and end, as plain tuples, in pieces.

For pages that show all tasks of a job at once; jobs.reading.tasks has single tasks.
"""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from database import rows
from jobs.reading.tasks import BEFORE_ALL, Place
from switchyard.scheduling.lifecycle.states import TaskState

#: Tasks that one query reads.
TASKS_A_PIECE = 20_000


class Course(NamedTuple):
    """A task's current attempt; times are milliseconds since 1970, None for what has not happened."""

    stage: int
    task: int
    state: TaskState
    scheduled: int | None
    started: int | None
    ended: int | None
    exit_class: str | None
    error: str | None


_QUESTION = """SELECT stage_id, index, state, (date_part('epoch', scheduled_at) * 1000)::bigint,
    (date_part('epoch', started_at) * 1000)::bigint, (date_part('epoch', ended_at) * 1000)::bigint, exit_class, error
    FROM jobs_task WHERE stage_id = ANY(%s) AND (stage_id, index) > (%s, %s) ORDER BY stage_id, index LIMIT %s"""

_STATES = {int(state): state for state in TaskState}


def courses(stages: Collection[int]) -> Iterator[Course]:
    """Yield the tasks of these stages by stage and index."""
    after = BEFORE_ALL
    while stages:
        found = rows.fetch(_QUESTION, [list(stages), *after, TASKS_A_PIECE])
        for stage, task, state, *rest in found:
            yield Course(stage, task, _STATES[state], *rest)
        if len(found) < TASKS_A_PIECE:
            return
        after = Place(found[-1][0], found[-1][1])
