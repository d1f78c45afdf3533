"""Checkpoints of jobs and the states in them, as plain values, by a fixed number of statements however many tasks there are.

Once a checkpoint is discarded its states are deleted: what each stage and each task had answered is not known any more.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from database import rows
from jobs.models import Checkpoint
from jobs.reading.stages import stage_ids
from jobs.store.states import NEWEST, USABLE, read
from switchyard.scheduling.indexes import IndexSet

STATES = tuple(state.name for state in Checkpoint.State)
_IN_PROGRESS, _COMPLETED, _FAILED = map(int, Checkpoint.State)
_FIELDS = (
    "id",
    "number",
    "state",
    "is_periodic",
    "operation_id",
    "tasks",
    "answers",
    "size",
    "failure",
    "discarded",
    "is_savepoint",
    "location",
    "triggered_at",
    "ended_at",
)
_INNER = ("is_periodic", "is_savepoint", "operation_id", "answers", "asked")
#: Milliseconds that a checkpoint took.
_TOOK = "(date_part('epoch', ended_at - triggered_at) * 1000)::bigint"


class Spread(NamedTuple):
    """The least, the largest and the mean of some whole numbers; zeros where there are none."""

    min: int = 0
    max: int = 0
    avg: int = 0


class Overview(NamedTuple):
    """The checkpoints of a job: how many, sizes and milliseconds of the completed ones, the newest first."""

    in_progress: int
    completed: int
    failed: int
    sizes: Spread
    times: Spread
    latest_completed: dict[str, Any] | None
    latest_savepoint: dict[str, Any] | None
    latest_failed: dict[str, Any] | None
    history: list[dict[str, Any]]


class Figures(NamedTuple):
    """How many checkpoints a job has, and size and milliseconds of the last one that was completed, if any was."""

    in_progress: int
    completed: int
    failed: int
    size: int | None
    time: int | None


class Answer(NamedTuple):
    """What a task that was asked has answered, and when; None if it has not.

    `size` is 0 where it has saved nothing; saving took `sync` microseconds, and its upload followed `age` later.
    """

    task: int
    at: datetime | None
    size: int
    sync: int
    age: int


def checkpoints(job: UUID) -> QuerySet[Checkpoint, Any]:
    """Return the rows of a job's checkpoints; pass those that are shown to `complete`."""
    found: QuerySet[Checkpoint, Any] = Checkpoint.objects.filter(job_id=job).values(*_FIELDS)
    return found


def complete(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Name the states in rows of checkpoints, and add what has been answered."""
    listed = list(found)
    answered = _answered([row["id"] for row in listed])
    return [_shown(row, answered.get(row["id"], {})) for row in listed]


def checkpoint(job: UUID, number: int) -> dict[str, Any] | None:
    """Return a checkpoint with the stages of which it has asked tasks."""
    row = checkpoints(job).filter(number=number).values(*_FIELDS, "asked").first()
    if row is None:
        return None
    answered = _answered([row["id"]]).get(row["id"], {})
    names = {id_: name for name, id_ in stage_ids(job).items()}
    asked = _asked(row["asked"])
    stages = [
        {"id": stage, "name": names[stage], "tasks": len(tasks)} | _part(row, answered.get(stage))
        for stage, tasks in asked.items()
        if stage in names
    ]
    return _shown(row, answered) | {"stages": stages}


def overview(job: UUID, most: int) -> Overview:
    """Return how the checkpoints of a job stand, with the newest of them."""
    ((in_progress, whole, broken, newest, completed, saved, failed, size, time),) = rows.fetch(
        f"""SELECT count(*) FILTER (WHERE state = {_IN_PROGRESS}), count(*) FILTER (WHERE state = {_COMPLETED}),
            count(*) FILTER (WHERE state = {_FAILED}), coalesce(max(number), 0),
            max(number) FILTER (WHERE state = {_COMPLETED} AND NOT is_savepoint),
            max(number) FILTER (WHERE state = {_COMPLETED} AND is_savepoint), max(number) FILTER (WHERE state = {_FAILED}),
            {_spread("size")}, {_spread(_TOOK)}
        FROM jobs_checkpoint WHERE job_id = %s""",
        [job],
    )
    wanted = {*range(newest - most + 1, newest + 1), completed, saved, failed} - {None}
    shown = {row["number"]: row for row in complete(checkpoints(job).filter(number__in=wanted).order_by("-number"))}
    history = [row for number, row in shown.items() if number > newest - most]
    return Overview(
        in_progress,
        whole,
        broken,
        _read_spread(size),
        _read_spread(time),
        shown.get(completed),
        shown.get(saved),
        shown.get(failed),
        history,
    )


def answers(job: UUID, number: int, stage: int) -> list[Answer] | None:
    """Return what each task of a stage has answered that a checkpoint asks; None if it asks none, or is discarded."""
    row = checkpoints(job).filter(number=number, discarded=False).values("id", "asked").first()
    asked = _asked(row["asked"]).get(stage) if row else None
    if row is None or asked is None:
        return None
    told: dict[int, Answer] = {}
    for text, at in rows.fetch(
        "SELECT states::text, stored_at FROM jobs_savedstates WHERE checkpoint_id = %s AND stage_id = %s ORDER BY id",
        [row["id"], stage],
    ):
        told |= {state.index: Answer(state.index, at, max(state.size, 0), state.sync, state.age) for state in read(text)}
    return [told.get(index) or Answer(index, None, 0, 0, 0) for index in asked]


def rule(job: UUID) -> Mapping[str, Any] | None:
    """Return how often a job has checkpoints; None if its description does not say."""
    found = rows.fetch("SELECT (spec -> 'checkpoint')::text FROM jobs_job WHERE id = %s", [job])
    return json.loads(found[0][0]) if found and found[0][0] else None


def figures(jobs: Collection[UUID] | None = None) -> dict[str, Figures]:
    """Return figures of these jobs, else of those that have not ended, as far as they have checkpoints."""
    which = "j.ended_at IS NULL" if jobs is None else "j.id = ANY(%s)"
    found = rows.fetch(
        f"""SELECT j.id::text, counted.*, last.* FROM jobs_job j CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE state = {_IN_PROGRESS}), count(*) FILTER (WHERE state = {_COMPLETED}),
                count(*) FILTER (WHERE state = {_FAILED}) FROM jobs_checkpoint WHERE job_id = j.id HAVING count(*) > 0
        ) counted LEFT JOIN LATERAL (
            SELECT size, {_TOOK} FROM jobs_checkpoint
            WHERE job_id = j.id AND state = {_COMPLETED} ORDER BY number DESC LIMIT 1
        ) last ON true WHERE {which}""",
        [] if jobs is None else [list(jobs)],
    )
    return {job: Figures(*told) for job, *told in found}


def saved_state(stage: int, index: int) -> dict[str, Any] | None:
    """Return of the state that a task's next attempt goes on from its size, when it was stored and for which checkpoint."""
    found = rows.fetch(
        f"SELECT s.states::text, s.stored_at, c.number FROM jobs_savedstates s {USABLE} "
        f"AND s.tasks @> %(index)s::int ORDER BY {NEWEST} LIMIT 1",
        {"stage": stage, "index": index},
    )
    for text, at, checkpoint in found:
        size = next(state.size for state in read(text) if state.index == index)
        return {"size": size, "at": at, "checkpoint": checkpoint} if size >= 0 else None
    return None


def _asked(told: list[list[Any]] | None) -> dict[int, IndexSet]:
    asked: dict[int, IndexSet] = {}
    for stage, _, ranges in told or ():
        asked[stage] = asked.get(stage, IndexSet()) | IndexSet.of(ranges)
    return asked


#: What a stage has answered: how many tasks, the bytes of their states, and when the last of them did.
Part = tuple[int, int, datetime]


def _answered(ids: Sequence[int]) -> dict[int, dict[int, Part]]:
    answered: dict[int, dict[int, Part]] = {}
    for checkpoint, stage, tasks, size, at in rows.fetch(
        """SELECT checkpoint_id, stage_id, range_agg(tasks)::text, sum(size)::bigint, max(stored_at)
        FROM jobs_savedstates WHERE checkpoint_id = ANY(%s) GROUP BY 1, 2""",
        [list(ids)],
    ):
        answered.setdefault(checkpoint, {})[stage] = (len(IndexSet.from_multirange(tasks)), size, at)
    return answered


def _part(row: dict[str, Any], part: Part | None) -> dict[str, Any]:
    """Return what a stage has answered; of a discarded checkpoint nobody knows."""
    unknown = None if row["discarded"] else 0
    answered, size, at = part or (unknown, unknown, None)
    return {"answered": answered, "size": size, "last_answer_at": at}


def _shown(row: dict[str, Any], answered: dict[int, Part]) -> dict[str, Any]:
    """Return what is shown of a checkpoint; one that is completed lacks only answers of tasks that had finished."""
    is_open, is_whole = row["state"] == _IN_PROGRESS, row["state"] == _COMPLETED
    count = sum(tasks for tasks, _, _ in answered.values()) if is_open else min(row["answers"], row["tasks"])
    return {name: value for name, value in row.items() if name not in _INNER} | {
        "state": Checkpoint.State(row["state"]).name,
        "periodic": row["is_periodic"],
        "savepoint": row["is_savepoint"],
        "operation": row["operation_id"],
        "answered": count,
        "finished": row["tasks"] - count if is_whole else 0,
        "size": sum(size for _, size, _ in answered.values()) if is_open else row["size"],
        "last_answer_at": max((at for _, _, at in answered.values()), default=None),
    }


def _spread(value: str) -> str:
    completed = f"FILTER (WHERE state = {_COMPLETED})"
    return f"ARRAY[min({value}) {completed}, max({value}) {completed}, round(avg({value}) {completed})]::bigint[]"


def _read_spread(found: Sequence[int | None]) -> Spread:
    least, largest, mean = found
    return Spread() if least is None or largest is None or mean is None else Spread(least, largest, mean)
