"""Figures of the main path for metrics, read from rows, so that every process tells the same and a restart loses none."""

from dataclasses import dataclass

from jobs import rows
from scheduling.lifecycle import TaskState

#: Seconds that recent figures look back.
RECENT = 300


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for room in a pool: tasks that could run now, and since when the first of their jobs is there."""

    pool: str
    tasks: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Recent:
    """Jobs that were submitted, and that ended, in the last RECENT seconds; means in seconds, 0 without any job."""

    submitted: int
    planning_seconds: float
    ended: int
    job_seconds: float


def waiting() -> list[Waiting]:
    """Return the queue of each pool that has one."""
    found = rows.fetch(
        """SELECT j.pool, sum(s.counts[%s])::bigint, extract(epoch FROM now() - min(j.created_at))::float8
        FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
        WHERE s.ended_at IS NULL AND j.ended_at IS NULL AND s.open_needs = 0 AND s.counts[%s] > 0 GROUP BY 1 ORDER BY 1""",
        [int(TaskState.CREATED) + 1, int(TaskState.CREATED) + 1],
    )
    return [Waiting(*row) for row in found]


def recent() -> Recent:
    """Return what happened to jobs lately."""
    ((submitted, planning),) = rows.fetch(
        "SELECT count(*), coalesce(avg(planning_ms) / 1000, 0)::float8 FROM jobs_job "
        "WHERE created_at > now() - %s * interval '1 second'",
        [RECENT],
    )
    ((ended, took),) = rows.fetch(
        "SELECT count(*), coalesce(avg(extract(epoch FROM ended_at - created_at)), 0)::float8 FROM jobs_job "
        "WHERE ended_at > now() - %s * interval '1 second'",
        [RECENT],
    )
    return Recent(submitted, planning, ended, took)


def listed() -> tuple[int, int]:
    """Return how many tasks are on the lists of nodes, and how many of these hold resources."""
    found = rows.fetch(
        """SELECT coalesce(sum(upper(l) - lower(l)), 0)::bigint,
            (SELECT coalesce(sum(upper(h) - lower(h)), 0)::bigint FROM jobs_assignment, unnest(held) AS h)
        FROM jobs_assignment, unnest(listed) AS l"""
    )
    listed, held = found[0]
    return listed, held
