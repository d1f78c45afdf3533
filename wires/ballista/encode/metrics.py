"""Ballista's eight metrics as text, by name, as its scheduler writes them.

Written here, for the client library would call the counter `failed` by another name.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from switchyard.scheduling.lifecycle.states import JobState

if TYPE_CHECKING:
    from jobs.telemetry.gauges import Counted, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4"
#: Upper bounds of the buckets as they are written, each with the bound, in seconds, by which we count.
JOB_BUCKETS = {"0.5": 0.5, "1": 1.0, "5": 5.0, "30": 30.0, "60": 60.0}
PLANNING_BUCKETS = {"1": 0.001, "5": 0.005, "25": 0.025, "100": 0.1, "500": 0.5}
_FAILED = "Counter of failed jobs"


def text(counted: "Counted", pending: int) -> str:
    """Return all metrics."""
    ended = {state: _total(histogram) for state, histogram in counted.ended.items()}
    failed, planned = ended[JobState.FAILED], counted.planning
    lines = [
        *_metric("failed", "counter", _FAILED, [f"failed {failed}"]),
        *_counter("job_cancelled_total", "Counter of cancelled jobs", ended[JobState.CANCELED]),
        *_counter("job_completed_total", "Counter of completed jobs", ended[JobState.FINISHED]),
        *_histogram(
            "job_exec_time_seconds",
            "Histogram of successful job execution time in seconds",
            counted.ended[JobState.FINISHED],
            JOB_BUCKETS,
        ),
        *_counter("job_failed_total", _FAILED, failed),
        *_counter("job_submitted_total", "Counter of submitted jobs", _total(planned)),
        *_metric("pending_task_queue_size", "gauge", "Number of pending tasks", [f"pending_task_queue_size {pending}"]),
        *_histogram(
            "planning_time_ms", "Histogram of job planning time in milliseconds", planned, PLANNING_BUCKETS, scale=1000
        ),
    ]
    return "\n".join([*lines, ""])


def _counter(name: str, help_: str, value: int) -> Iterator[str]:
    return _metric(name, "counter", help_, [f"{name} {value}"])


def _histogram(name: str, help_: str, values: "Histogram", written: Mapping[str, float], *, scale: int = 1) -> Iterator[str]:
    counts, total = dict(values.buckets), _total(values)
    samples = [f'{name}_bucket{{le="{le}"}} {counts[bound]}' for le, bound in written.items()]
    samples += [f'{name}_bucket{{le="+Inf"}} {total}', f"{name}_sum {values.sum * scale!r}", f"{name}_count {total}"]
    return _metric(name, "histogram", help_, samples)


def _metric(name: str, kind: str, help_: str, samples: Iterable[str]) -> Iterator[str]:
    yield f"# HELP {name} {help_}"
    yield f"# TYPE {name} {kind}"
    yield from samples


def _total(values: "Histogram") -> int:
    return values.buckets[-1][1]
