"""The leader's last survey, the running attempts on nodes, and the job types."""

import json
from dataclasses import dataclass
from datetime import datetime

from database import rows
from jobs.models import JobType


@dataclass(frozen=True, slots=True)
class Survey:
    """Figures of the whole cluster: when they were taken and how old they are, what happened how often in a second.

    `ended` are node, type of job, outcome ("completed", or what was at fault) and how many attempts ended so lately;
    `cleaned` says on how many attempts' working folders were cleaned on which node since the survey before.
    """

    at: datetime
    age_seconds: float
    rates: dict[str, float]
    ended: list[tuple[int, int, str, int]]
    cleaned: dict[int, int]


@dataclass(frozen=True, slots=True)
class TypeRow:
    """A type of job."""

    id: int
    name: str
    version: str
    title: str
    description: str
    icon: str


def survey() -> Survey | None:
    """Return the last survey, None if there never was one."""
    found = rows.fetch("""SELECT at, extract(epoch FROM clock_timestamp() - at)::float8, document::text FROM jobs_survey""")
    for at, age, text in found:
        document = json.loads(text)
        return Survey(at, age, document["rates"], [(*row,) for row in document["ended"]], dict(document.get("cleaned", ())))
    return None


def running() -> list[tuple[int, int, int]]:
    """Return how many attempts run now, by node and type of job."""
    found: list[tuple[int, int, int]] = rows.fetch(
        """SELECT a.node_id, j.job_type_id, sum(upper(begun) - lower(begun))::bigint
        FROM jobs_assignment a CROSS JOIN unnest(a.started) AS begun
        JOIN jobs_stage s ON s.id = a.stage_id JOIN jobs_job j ON j.id = s.job_id GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    return found


def types() -> list[TypeRow]:
    """Return the types of jobs, by name and version."""
    fields = ("id", "name", "version", "title", "description", "icon")
    return [TypeRow(*row) for row in JobType.objects.order_by("name", "version").values_list(*fields)]
