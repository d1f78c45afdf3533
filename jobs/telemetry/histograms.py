"""Histograms and counters in rows, which the leader updates at most once a second.

Nothing is recorded per task. Every web process reads the same rows (gauges), and a restart loses at most a second.
"""

from bisect import bisect_left
from collections import defaultdict

from django.db import transaction

from database import rows
from jobs.models import Figure
from switchyard.scheduling.lifecycle.states import JobState

ROUND, LAG, PLANNING, JOB = Figure.Name.ROUND, Figure.Name.LAG, Figure.Name.PLANNING, Figure.Name.JOB
INFINITY = float("inf")
_SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, INFINITY)
#: Upper bounds of the buckets of each histogram, in seconds; what is only counted has one.
BOUNDS = {
    ROUND: _SHORT,
    LAG: _SHORT,
    PLANNING: _SHORT,
    JOB: (0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0, INFINITY),
    Figure.Name.PLACEMENTS: (INFINITY,),
}
#: Ended jobs that one tick takes into account.
JOBS_A_TICK = 5000
Key = tuple[str, str, float]


class Recorder:
    """Adds up between two writings."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = defaultdict(int)
        self._sums: dict[Key, float] = defaultdict(float)

    def add(self, name: Figure.Name, value: float, *, label: str = "", count: int = 1) -> None:
        """Note something that took so long, or that happened `count` times."""
        bounds = BOUNDS[name]
        key = name.value, label, bounds[bisect_left(bounds, value)]
        self._counts[key] += count
        self._sums[key] += value

    def write(self) -> None:
        """Add to the rows what was noted since the last time, and the jobs that have ended since."""
        try:
            with transaction.atomic():
                self._add_ended_jobs()
                self._write()
        finally:
            self._counts.clear()
            self._sums.clear()

    def _write(self) -> None:
        if self._counts:
            rows.execute(
                """INSERT INTO jobs_figure AS f (name, label, bound, count, sum)
                SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[], %s::bigint[], %s::float8[])
                ON CONFLICT (name, label, bound)
                DO UPDATE SET count = f.count + excluded.count, sum = f.sum + excluded.sum""",
                rows.columns(((*key, count, self._sums[key]) for key, count in self._counts.items()), 5),
            )

    def _add_ended_jobs(self) -> None:
        """Note each ended job once: a row says until when this was done, whoever leads."""
        found = rows.fetch(
            """SELECT state, planning_ms / 1000, extract(epoch FROM ended_at - created_at)::float8,
                (extract(epoch FROM ended_at) * 1000000)::bigint
            FROM jobs_job WHERE ended_at > to_timestamp(0) + interval '1 microsecond' * coalesce(
                (SELECT count FROM jobs_figure WHERE name = %s AND label = '' AND bound = 0), 0)
            ORDER BY ended_at FETCH FIRST %s ROWS WITH TIES""",
            [Figure.Name.JOBS_SEEN.value, JOBS_A_TICK],
        )
        for state, planning, seconds, _ in found:
            self.add(PLANNING, planning)
            self.add(JOB, seconds, label=JobState(state).name)
        if found:
            rows.execute(
                """INSERT INTO jobs_figure AS f (name, label, bound, count, sum) VALUES (%s, '', 0, %s, 0)
                ON CONFLICT (name, label, bound) DO UPDATE SET count = greatest(f.count, excluded.count)""",
                [Figure.Name.JOBS_SEEN.value, found[-1][3]],
            )
