"""Results of a job: accumulators and outcome. Objects that Flink serializes for Java are in base64."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.accumulators import Accumulator, of_task
from switchyard.scheduling.lifecycle.states import JobState
from wires.flink import ids, states
from wires.flink.encode.failures import cause
from wires.flink.encode.objects import accumulated
from wires.flink.encode.vertices import place

if TYPE_CHECKING:
    from jobs.reading.attempts import Execution
    from jobs.reading.counts import Tally
    from jobs.reading.progress import Progress

Names = Mapping[int, str]


def of_job(found: Sequence[Accumulator], *, serialized: bool) -> dict[str, Any]:
    """Return a job's accumulators."""
    return {
        "job-accumulators": [],
        "user-task-accumulators": [_accumulator(each) for each in found],
        "serialized-user-task-accumulators": _serialized(found) if serialized else {},
    }


def of_vertex(stage: "Progress", found: Iterable[Accumulator]) -> dict[str, Any]:
    """Return a vertex's accumulators."""
    return {"id": ids.vertex_id(stage.id), "user-accumulators": [_accumulator(each) for each in found]}


def of_subtasks(stage: "Progress", found: Iterable["Execution"], names: Names) -> dict[str, Any]:
    """Return the accumulators of each subtask of a vertex."""
    rows = [
        {"subtask": each.task, "attempt": each.attempt, "host": place(each.node, names).host, "user-accumulators": _own(each)}
        for each in found
    ]
    return {"id": ids.vertex_id(stage.id), "parallelism": stage.tasks, "subtasks": rows}


def of_attempt(stage: int, found: "Execution") -> dict[str, Any]:
    """Return the accumulators of one attempt."""
    return {
        "subtask": found.task,
        "attempt": found.attempt,
        "id": ids.execution_id(stage, found.task, found.attempt),
        "user-accumulators": _own(found),
    }


def result(tally: "Tally", found: Sequence[Accumulator]) -> dict[str, Any]:
    """Return a job's result, once it has ended."""
    if tally.state not in states.RESULTS:
        return {"status": {"id": "IN_PROGRESS"}}
    told: dict[str, Any] = {
        "id": ids.job_id(tally.id),
        "application-status": states.RESULTS[tally.state],
        "accumulator-results": _serialized(found),
        "net-runtime": max((tally.ended or tally.created) - tally.created, 0),
    }
    if tally.state is not JobState.FINISHED:
        told["failure-cause"] = cause(tally.error)
    return {"status": {"id": "COMPLETED"}, "job-execution-result": told}


def _accumulator(found: Accumulator) -> dict[str, str]:
    return {"name": found.name, "type": states.ACCUMULATORS[found.kind], "value": _text(found.value)}


def _text(value: float | Mapping[int, int]) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{each}={count}" for each, count in value.items()) + "}"
    return str(value)


def _own(found: "Execution") -> list[dict[str, str]]:
    return [_accumulator(each) for each in of_task(found.accumulators)]


def _serialized(found: Iterable[Accumulator]) -> dict[str, str]:
    return {each.name: b64encode(accumulated(each)).decode() for each in found}
