"""The cluster: settings for dashboards, and sums."""

from collections.abc import Mapping
from typing import Any

from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState

#: The release whose shapes these are.
VERSION = "1.5.0"
REFRESH_MS = 3000


def config(ours: str) -> dict[str, Any]:
    """Return the settings; `ours` is our own version."""
    return {
        "refresh-interval": REFRESH_MS,
        "timezone-name": "Coordinated Universal Time",
        "timezone-offset": 0,
        "flink-version": VERSION,
        "flink-revision": f"Switchyard {ours}",
        "features": {"web-submit": True, "web-cancel": True, "web-rescale": False, "web-history": False},
    }


def overview(jobs: Mapping[str, int], *, taskmanagers: int, slots: int, free: int, ours: str) -> dict[str, Any]:
    """Return the sums: `jobs` by the name of their state; those that have not ended are running."""
    ended = {state: jobs.get(state.name, 0) for state in JOB_ENDS}
    return {
        "taskmanagers": taskmanagers,
        "slots-total": slots,
        "slots-available": free,
        "jobs-running": sum(jobs.values()) - sum(ended.values()),
        "jobs-finished": ended[JobState.FINISHED],
        "jobs-cancelled": ended[JobState.CANCELED],
        "jobs-failed": ended[JobState.FAILED],
        "flink-version": VERSION,
        "flink-commit": f"switchyard-{ours}",
    }
