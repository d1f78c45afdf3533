"""Attempts of a stage's tasks with their metrics and accumulators, as plain tuples, in pieces."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from database import rows
from jobs.reading.times import TASKS_A_PIECE
from switchyard.scheduling.lifecycle.states import TaskState


class Execution(NamedTuple):
    """An attempt of a task; times are milliseconds since 1970, None for what has not happened.

    What it told is kept as it was stored, and read when it is asked for.
    """

    task: int
    state: TaskState
    attempt: int
    node: int | None
    scheduled: int | None
    started: int | None
    ended: int | None
    stored_metrics: str | None
    stored_accumulators: str | None

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The present values that it told."""
        return _object(self.stored_metrics)

    @property
    def accumulators(self) -> Mapping[str, Any]:
        """What it told that it has added up (switchyard.scheduling.accumulators)."""
        return _object(self.stored_accumulators)


class Failure(NamedTuple):
    """A failed attempt: of which task of which stage, when (in milliseconds since 1970), why, and its exit class."""

    stage: str
    tasks: int
    task: int
    node: int | None
    at: int | None
    error: str
    exit_class: str


_MS = "(date_part('epoch', {0}) * 1000)::bigint"
_FIELDS = f"""index, state, attempt, node_id, {_MS.format("scheduled_at")}, {_MS.format("started_at")},
    {_MS.format("ended_at")}, metrics::text, accumulators::text"""
_PIECE = f"SELECT {_FIELDS} FROM jobs_task WHERE stage_id = %s AND index > %s ORDER BY index LIMIT %s"
_CURRENT = f"SELECT {_FIELDS} FROM jobs_task WHERE stage_id = %s AND index = %s"
_OLDER = f"SELECT {_FIELDS} FROM jobs_attempt WHERE stage_id = %s AND index = %s AND attempt = %s"
_FAILED = f"""SELECT s.name, s.parallelism, f.index, f.node_id, {_MS.format("f.ended_at")},
    coalesce(f.error, ''), coalesce(f.exit_class, '')
    FROM jobs_stage s CROSS JOIN LATERAL (
        SELECT index, node_id, ended_at, error, exit_class FROM jobs_task WHERE stage_id = s.id AND state = %(failed)s
        UNION ALL
        SELECT index, node_id, ended_at, error, exit_class FROM jobs_attempt WHERE stage_id = s.id AND state = %(failed)s
    ) f WHERE s.job_id = %(job)s ORDER BY f.ended_at DESC NULLS LAST, s.position, f.index LIMIT %(limit)s"""
_STATES = {int(state): state for state in TaskState}
_decode = json.JSONDecoder().raw_decode


def executions(stage: int) -> Iterator[Execution]:
    """Yield the current attempt of each task of a stage, by index."""
    after = -1
    while True:
        found = rows.fetch(_PIECE, [stage, after, TASKS_A_PIECE])
        yield from map(_execution, found)
        if len(found) < TASKS_A_PIECE:
            return
        after = found[-1][0]


def execution(stage: int, task: int, attempt: int | None = None) -> Execution | None:
    """Return an attempt of a task, without a number its current one; None if there is none."""
    current = [_execution(row) for row in rows.fetch(_CURRENT, [stage, task])]
    if not current or attempt in (None, current[0].attempt):
        return current[0] if current else None
    older = rows.fetch(_OLDER, [stage, task, attempt])
    return _execution(older[0]) if older else None


def failures(job: UUID, *, limit: int) -> list[Failure]:
    """Return the attempts of a job that failed, the last ones first."""
    values = {"failed": int(TaskState.FAILED), "job": job, "limit": limit}
    return [Failure(*row) for row in rows.fetch(_FAILED, values)]


def _execution(row: tuple[Any, ...]) -> Execution:
    task, state, *rest = row
    return Execution._make((task, _STATES[state], *rest))


def _object(text: str | None) -> Mapping[str, Any]:
    # The database writes no blanks around a value, which is all that `loads` would look for.
    value = _decode(text)[0] if text else None
    return value if isinstance(value, dict) else {}
