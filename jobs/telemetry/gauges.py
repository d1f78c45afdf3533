"""Metrics of the main path, read from rows, so that all processes show the same and a restart loses none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from database import rows
from jobs.models import Figure
from jobs.telemetry.histograms import BOUNDS
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState, TaskState

Name = Figure.Name
#: A job is recorded when the leader has seen its end (jobs.telemetry.histograms); until then its own row tells of it.
_COUNTED = """WITH fresh AS (
        SELECT state, planning_ms / 1000 AS planning, date_part('epoch', ended_at - created_at) AS seconds, ended_at
        FROM jobs_job WHERE ended_at IS NULL OR ended_at > to_timestamp(0) + interval '1 microsecond' * coalesce(
            (SELECT count FROM jobs_figure WHERE name = %(seen)s AND label = '' AND bound = 0), 0)
    )
    SELECT name, label, bound, count, sum FROM jobs_figure WHERE name IN (%(planning)s, %(job)s)
    UNION ALL
    SELECT %(planning)s, '', (SELECT min(b) FROM unnest(%(planning_bounds)s::float8[]) AS b WHERE b >= planning),
        count(*), sum(planning) FROM fresh GROUP BY 3
    UNION ALL
    SELECT %(job)s, {names}, (SELECT min(b) FROM unnest(%(job_bounds)s::float8[]) AS b WHERE b >= seconds),
        count(*), sum(seconds) FROM fresh WHERE ended_at IS NOT NULL GROUP BY 2, 3""".format(
    names="CASE state " + " ".join(f"WHEN {int(state)} THEN '{state.name}'" for state in JobState) + " END"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for room in a pool: tasks that could run now, and since when the first of their jobs is there."""

    pool: str
    tasks: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many values there were up to each bound, those up to lower ones included, and the sum of all."""

    buckets: list[tuple[float, int]]
    sum: float


def waiting() -> list[Waiting]:
    """Return the queue of each pool that has one."""
    found = rows.fetch(
        """SELECT j.pool, sum(s.counts[%s])::bigint, extract(epoch FROM now() - min(j.created_at))::float8
        FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
        WHERE s.ended_at IS NULL AND j.ended_at IS NULL AND s.open_needs = 0 AND s.counts[%s] > 0 GROUP BY 1 ORDER BY 1""",
        [int(TaskState.CREATED) + 1, int(TaskState.CREATED) + 1],
    )
    return [Waiting(*row) for row in found]


def recorded() -> dict[Name, dict[str, Histogram]]:
    """Return all that the leader recorded, by name and label; what has no labels is there even when it is all zeros."""
    found: dict[Name, dict[str, dict[float, tuple[int, float]]]] = {
        name: {} if name is Name.JOB else {"": {}} for name in BOUNDS
    }
    for row in Figure.objects.filter(name__in=BOUNDS).order_by("label"):
        found[Name(row.name)].setdefault(row.label, {})[row.bound] = row.count, row.sum
    return {
        name: {label: _cumulated(BOUNDS[name], buckets) for label, buckets in by_label.items()}
        for name, by_label in found.items()
    }


@dataclass(frozen=True, slots=True)
class Counted:
    """All jobs that there ever were, counted up to this moment: their planning, and how long ended ones took by state."""

    planning: Histogram
    ended: dict[JobState, Histogram]


def counted() -> Counted:
    """Return what was recorded of jobs together with what the leader has not recorded yet, by one question for both."""
    values = {
        "planning": Name.PLANNING.value,
        "job": Name.JOB.value,
        "seen": Name.JOBS_SEEN.value,
        "planning_bounds": list(BOUNDS[Name.PLANNING]),
        "job_bounds": list(BOUNDS[Name.JOB]),
    }
    planning: dict[float, tuple[int, float]] = {}
    ended: dict[JobState, dict[float, tuple[int, float]]] = {state: {} for state in JOB_ENDS}
    for name, label, bound, count, total in rows.fetch(_COUNTED, values):
        buckets = planning if name == Name.PLANNING else ended[JobState[label]]
        known = buckets.get(bound, (0, 0.0))
        buckets[bound] = (known[0] + count, known[1] + total)
    return Counted(
        _cumulated(BOUNDS[Name.PLANNING], planning),
        {state: _cumulated(BOUNDS[Name.JOB], buckets) for state, buckets in ended.items()},
    )


def pending() -> int:
    """Return how many tasks of live jobs have all their inputs and have not begun: not placed, or placed and waiting."""
    ((found,),) = rows.fetch(
        """SELECT coalesce(sum(s.counts[%s] + s.counts[%s] - (
            SELECT coalesce(sum(upper(b) - lower(b)), 0) FROM unnest(s.blocked) AS b)), 0)::bigint
        FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
        WHERE s.ended_at IS NULL AND j.ended_at IS NULL AND s.open_needs = 0""",
        [int(TaskState.CREATED) + 1, int(TaskState.SCHEDULED) + 1],
    )
    return int(found)


def _cumulated(bounds: Iterable[float], counted: Mapping[float, tuple[int, float]]) -> Histogram:
    counts = [(bound, counted.get(bound, (0, 0.0))[0]) for bound in bounds]
    totals = accumulate(count for _, count in counts)
    return Histogram(
        [(bound, total) for (bound, _), total in zip(counts, totals, strict=True)],
        sum(total for _, total in counted.values()),
    )


def listed() -> tuple[int, int]:
    """Return how many tasks are on the lists of nodes, and how many of these hold resources."""
    found = rows.fetch(
        """SELECT coalesce(sum(upper(l) - lower(l)), 0)::bigint,
            (SELECT coalesce(sum(upper(h) - lower(h)), 0)::bigint FROM jobs_assignment, unnest(held) AS h)
        FROM jobs_assignment, unnest(listed) AS l"""
    )
    listed, held = found[0]
    return listed, held
