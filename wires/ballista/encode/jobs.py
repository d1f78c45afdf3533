"""Jobs: the list, one in full, its settings, and the answer to a cancel."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import dumps
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import JobState
from wires.ballista.decode import PlanFormat
from wires.ballista.encode import plans
from wires.ballista.states import JOBS, Status

if TYPE_CHECKING:
    from jobs.reading.listing import Line
    from jobs.reading.plans import Plan

#: What a canceled job is said to have failed of.
CANCELLED = "Cancelled"
REFUSALS = {Status.COMPLETED: "The job is already completed", Status.FAILED: "The job has failed"}


def jobs(pieces: Iterable[Sequence["Line"]]) -> Iterator[str]:
    """Yield the text of the list of all jobs."""
    before = "["
    for lines in pieces:
        if lines:
            yield before + dumps([job(line) for line in lines], ensure_ascii=False, separators=(",", ":"))[1:-1]
            before = ","
    yield "[]" if before == "[" else "]"


def job(line: "Line") -> dict[str, Any]:
    """Return a job as the list shows it."""
    status = JOBS[line.state]
    queued = status is Status.QUEUED
    return {
        "job_id": line.id,
        "job_name": line.name,
        "job_status": _sentence(line, status),
        "status": status.value,
        "num_stages": line.stages,
        "completed_stages": line.finished_stages,
        "percent_complete": 100 * line.finished_stages // line.stages if line.stages else 0,
        # As of its planning: what its tasks waited for belongs to it.
        "start_time": 0 if queued else line.created,
        "end_time": 0 if queued else line.ended or 0,
    }


def job_in_full(line: "Line", stages: Sequence["Plan"], format_: PlanFormat) -> dict[str, Any]:
    """Return a job with its plans."""
    return job(line) | {
        "logical_plan": plans.logical_text(stages),
        "physical_plan": plans.job_text(stages, format_),
        "stage_plan": plans.states_text(stages),
    }


def cancelled(after: JobState) -> tuple[int, dict[str, Any]]:
    """Return status and body for a job that is in this state after it was asked to stop; either spelling is read."""
    reason = REFUSALS.get(JOBS[after])
    done = reason is None
    told = {} if done else {"reason": reason}
    return (200 if done else 409), {"cancelled": done, "canceled": done, **told}


def config(shown: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings of a job as texts: those that it brought along by their own names, and ours."""
    spec: Mapping[str, Any] = shown["spec"]
    ours = {
        "switchyard.job.name": shown["name"],
        "switchyard.job.type": f"{shown['type']}:{shown['type_version']}",
        "switchyard.job.owner": shown["owner"],
        "switchyard.job.priority": shown["priority"],
        "switchyard.job.pool": shown["pool"],
        "switchyard.job.max_failures": shown["max_failures"],
    }
    given = {f"switchyard.job.{name}": spec.get(name) for name in ("retry", "timeouts", "constraints", "labels")}
    told = {**(spec.get("config") or {}), **ours, **{name: value for name, value in given.items() if value}}
    return {name: value if isinstance(value, str) else dumps(value) for name, value in sorted(told.items())}


def _sentence(line: "Line", status: Status) -> str:
    if status is Status.COMPLETED:
        elapsed = max((line.ended or 0) - line.created, 0)
        partitions, rows = _number(line.results, "partition"), _number(line.results, "row")
        return f"Completed. Produced {partitions} containing {rows}. Elapsed time: {elapsed} ms."
    return f"Failed: {_error(line)}" if status is Status.FAILED else status.value


def _error(line: "Line") -> str:
    if line.state == JobState.CANCELED:
        return CANCELLED
    if line.failures > line.max_failures and line.failed_stage is not None:
        return f"Job failed due to stage {line.failed_stage + 1} failed: {line.error}\n"
    return line.error


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
