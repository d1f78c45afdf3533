"""One job or all jobs with counters of their stages, as plain tuples; one query for each piece.

jobs.reading.jobs has the lists with pages and filters.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple
from uuid import UUID

from database import rows
from switchyard.scheduling.lifecycle.states import JobState, TaskState

#: Jobs that one query reads.
JOBS_A_PIECE = 5_000
_NO_NUMBER = 2**63 - 1


class Line(NamedTuple):
    """What one line tells of a job; times are milliseconds since 1970, None for what has not happened.

    `finished_stages` are those of which every task finished, `failed_stage` is the position of the first of which one
    failed, and `results` counts the results of the stages that no other needs.
    """

    id: str
    number: int
    name: str
    state: JobState
    error: str
    failures: int
    max_failures: int
    stages: int
    finished_stages: int
    failed_stage: int | None
    results: int
    created: int
    started: int | None
    ended: int | None


_COLUMNS = "id, number, name, state, error, failures, max_failures, stages_total, created_at, started_at, ended_at"
_LINES = f"""WITH j AS MATERIALIZED (SELECT {_COLUMNS} FROM jobs_job WHERE {{which}})
    SELECT j.id::text, j.number, j.name, j.state, j.error, j.failures, j.max_failures, j.stages_total,
        coalesce(s.finished, 0), s.failed, coalesce(s.results, 0)::bigint, (date_part('epoch', j.created_at) * 1000)::bigint,
        (date_part('epoch', j.started_at) * 1000)::bigint, (date_part('epoch', j.ended_at) * 1000)::bigint
    FROM j LEFT JOIN (
        SELECT s.job_id,
            count(*) FILTER (
                WHERE s.ended_at IS NOT NULL AND s.counts[%(failed)s] = 0 AND s.counts[%(canceled)s] = 0) AS finished,
            min(s.position) FILTER (WHERE s.counts[%(failed)s] > 0) AS failed,
            sum(s.counts[%(finished)s]) FILTER (
                WHERE NOT EXISTS (SELECT FROM jobs_edge e WHERE e.producer_id = s.id)) AS results
        FROM j JOIN jobs_stage s ON s.job_id = j.id GROUP BY s.job_id
    ) s ON s.job_id = j.id ORDER BY j.number DESC"""
_PIECE = _LINES.format(which="number < %(before)s ORDER BY number DESC LIMIT %(limit)s")
_ONE = _LINES.format(which="id = %(id)s")
#: The places of states in an array of counters, which PostgreSQL counts from 1.
_PLACES = {state.name.lower(): state + 1 for state in (TaskState.FINISHED, TaskState.FAILED, TaskState.CANCELED)}

_STATES = {int(state): state for state in JobState}


def pieces() -> Iterator[list[Line]]:
    """Yield all jobs, newest first."""
    before = _NO_NUMBER
    while True:
        # One more than is told of, so that all of them may be one piece.
        found = rows.fetch(_PIECE, {"before": before, "limit": JOBS_A_PIECE + 1, **_PLACES})
        yield [_line(row) for row in found[:JOBS_A_PIECE]]
        if len(found) <= JOBS_A_PIECE:
            return
        before = found[JOBS_A_PIECE - 1][1]


def line(id_: UUID) -> Line | None:
    """Return the line of one job."""
    found = rows.fetch(_ONE, {"id": id_, **_PLACES})
    return _line(found[0]) if found else None


def _line(row: tuple[Any, ...]) -> Line:
    id_, number, name, state, *rest = row
    return Line(id_, number, name, _STATES[state], *rest)
