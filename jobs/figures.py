"""Figures of the main path for metrics, read from rows, so that every process tells the same and a restart loses none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from database import rows
from jobs.models import Figure
from jobs.recording import BOUNDS
from scheduling.lifecycle import TaskState

Name = Figure.Name


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
