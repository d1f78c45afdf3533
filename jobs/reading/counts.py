"""Jobs with counters of their tasks by state, as plain tuples, for pages that show all jobs."""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from database import rows
from jobs.reading.listing import JOBS_A_PIECE
from switchyard.scheduling.lifecycle.states import TASK_PLACES, JobState

_NO_NUMBER = 2**63 - 1


class Tally(NamedTuple):
    """A job; times are milliseconds since 1970, None for what has not happened.

    `stage_changed` is when a stage of it last began or ended; `counts` is indexed by TaskState.
    """

    id: str
    number: int
    name: str
    state: JobState
    error: str
    created: int
    started: int | None
    ended: int | None
    stage_changed: int | None
    counts: tuple[int, ...]


_COLUMNS = "id, number, name, state, error, created_at, started_at, ended_at"
_MS = "(date_part('epoch', {0}) * 1000)::bigint"
_SUMS = ", ".join(f"sum(s.counts[{place + 1}])::bigint AS c{place}" for place in range(TASK_PLACES))
_COUNTS = ", ".join(f"coalesce(s.c{place}, 0)" for place in range(TASK_PLACES))
_TALLIES = f"""WITH j AS MATERIALIZED (SELECT {_COLUMNS} FROM jobs_job WHERE {{which}})
    SELECT j.id::text, j.number, j.name, j.state, j.error, {_MS.format("j.created_at")}, {_MS.format("j.started_at")},
        {_MS.format("j.ended_at")}, {_MS.format("s.changed")}, {_COUNTS}
    FROM j LEFT JOIN (
        SELECT s.job_id, max(greatest(s.started_at, s.ended_at)) AS changed, {_SUMS}
        FROM j JOIN jobs_stage s ON s.job_id = j.id GROUP BY s.job_id
    ) s ON s.job_id = j.id ORDER BY j.number DESC"""
_PIECE = _TALLIES.format(which="number < %s ORDER BY number DESC LIMIT %s")
_ONE = _TALLIES.format(which="id = %s")
_STATES = {int(state): state for state in JobState}


def tallies() -> Iterator[list[Tally]]:
    """Yield all jobs, newest first."""
    before = _NO_NUMBER
    while True:
        found = rows.fetch(_PIECE, [before, JOBS_A_PIECE + 1])
        yield [_tally(row) for row in found[:JOBS_A_PIECE]]
        if len(found) <= JOBS_A_PIECE:
            return
        before = found[JOBS_A_PIECE - 1][1]


def tally(id_: UUID) -> Tally | None:
    """Return one job."""
    found = rows.fetch(_ONE, [id_])
    return _tally(found[0]) if found else None


def states() -> list[tuple[str, JobState]]:
    """Return the id and the state of every job, newest first."""
    return [(id_, _STATES[state]) for id_, state in rows.fetch("SELECT id::text, state FROM jobs_job ORDER BY number DESC")]


def state(id_: UUID) -> JobState | None:
    """Return the state of one job, or None if there is none."""
    found = rows.fetch("SELECT state FROM jobs_job WHERE id = %s", [id_])
    return _STATES[found[0][0]] if found else None


def entered(id_: UUID) -> dict[JobState, int]:
    """Return when a job first entered the states that are told of as events, in milliseconds since 1970."""
    found = rows.fetch(
        f"SELECT kind, {_MS.format('min(at)')} FROM nodes_event WHERE job_id = %s AND kind = ANY(%s) GROUP BY 1",
        [id_, list(_KINDS)],
    )
    return {_KINDS[kind]: at for kind, at in found}


#: Events that tell of a state that was entered.
_KINDS = {f"job_{state.name.lower()}": state for state in JobState}


def _tally(row: tuple[Any, ...]) -> Tally:
    id_, number, name, state, error, created, started, ended, stage_changed, *counts = row
    return Tally(id_, number, name, _STATES[state], error, created, started, ended, stage_changed, tuple(counts))
