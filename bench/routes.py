"""The routes that the `wires` workload asks, and how long each may take beside its reference. Pure data."""

from dataclasses import dataclass

from bench.dataset import JOBS, LARGE

#: Plain requests that may be answered in the time of one of bounded length, of its slowest statement, and of a job's page.
PAGED_P99, SLOWEST, WHOLE_PAGE = 60, 30, 1000
#: Of the rate of plain rows, what that of a long list must be; plain rows in the time of its slowest statement.
LIST_RATIO, SLOWEST_ROWS = 0.4, 5000
#: A route that does next to nothing, for comparison.
PLAIN = "/v6/version/"
OVERVIEW = "/jobs/overview"
#: Of the rate of plain requests, what that of overviews must be.
OVERVIEW_RATIO = 0.15

#: Answers of bounded length; `{vertex}` is a stage in Flink's words, `{task}` its last task.
PAGED = (
    "/api/v1/jobs",
    "/api/v1/jobs/{id}",
    "/api/v1/jobs/{id}/tasks",
    "/api/job/{id}",
    "/api/metrics",
    "/overview",
    "/jobs/{id}",
    "/jobs/{id}/exceptions",
    "/jobs/{id}/accumulators",
    "/jobs/{id}/vertices/{vertex}/subtasks/{task}",
    "/v6/nodes/",
    "/v6/status/",
)


@dataclass(frozen=True, slots=True)
class Long:
    """A route that tells so many rows at once."""

    path: str
    rows: int


_TASKS = LARGE[0]
UNPAGED = (
    Long("/api/jobs", JOBS),
    Long("/jobs", JOBS),
    Long(OVERVIEW, JOBS),
    Long("/api/job/{id}/stages", sum(LARGE)),
    Long("/jobs/{id}/vertices/{vertex}", _TASKS),
    Long("/jobs/{id}/vertices/{vertex}/subtasktimes", _TASKS),
    Long("/jobs/{id}/vertices/{vertex}/taskmanagers", _TASKS),
    Long("/jobs/{id}/vertices/{vertex}/subtasks/accumulators", _TASKS),
    Long("/jobs/{id}/vertices/{vertex}/metrics", _TASKS),
    Long("/jobs/{id}/vertices/{vertex}/subtasks/metrics?get=numRecordsIn", _TASKS),
)

#: What Flink's dashboard asks for the page of a job with one vertex unfolded.
PAGE = (
    "/jobs/{id}",
    "/jobs/{id}/config",
    "/jobs/{id}/exceptions",
    "/jobs/{id}/vertices/{vertex}",
    "/jobs/{id}/vertices/{vertex}/subtasktimes",
    "/jobs/{id}/vertices/{vertex}/metrics?get=0.currentInputWatermark",
)
