"""The shapes of Flink's older API, derived from the new ones. Pure."""

from typing import Any

from wires.flink.encode.measures import FLOWS
from wires.flink.encode.typed import without

Shape = dict[str, Any]
_NO_JOB = ("SUSPENDING", "SUSPENDED", "RECONCILING")
_NO_TASK = ("RECONCILING",)
_TASKS = ("total", "pending", "running", "finished", "canceling", "canceled", "failed")
_PLACE = ("endpoint", "taskmanager-id")
_IO = tuple(FLOWS)
_SHORT_ID = 16


def config(new: Shape) -> Shape:
    """Return the settings without features."""
    return without(new, "features")


def overview(new: Shape) -> Shape:
    """Return the sums without the release."""
    return without(new, "flink-version", "flink-commit")


def row(new: Shape) -> Shape:
    """Return a job of the list, with what has not begun as one number."""
    return new | {"tasks": {name: new["tasks"][name] for name in _TASKS}}


def job(new: Shape) -> Shape:
    """Return a job in full, by fewer states."""
    return without(new, "isStoppable", "maxParallelism") | {
        "timestamps": without(new["timestamps"], *_NO_JOB),
        "vertices": [_vertex(vertex) for vertex in new["vertices"]],
        "status-counts": without(new["status-counts"], *_NO_TASK),
    }


def job_config(new: Shape) -> Shape:
    """Return a job's settings without those that it brought along."""
    return new | {"execution-config": without(new["execution-config"], "user-config")}


def plan(new: Shape) -> Shape:
    """Return a graph that nothing is wrapped around."""
    inner: Shape = new["plan"]
    return inner


def exceptions(new: Shape) -> Shape:
    """Return failures without times."""
    found = [without(each, "timestamp") for each in new["all-exceptions"]]
    return without(new, "timestamp", "exceptionHistory") | {"all-exceptions": found}


def job_accumulators(new: Shape) -> Shape:
    """Return a job's accumulators, none serialized."""
    found = [_typed(each) for each in new["user-task-accumulators"]]
    return without(new, "serialized-user-task-accumulators") | {"user-task-accumulators": found}


def accumulators(new: Shape) -> Shape:
    """Return the accumulators of a vertex or of a subtask."""
    return new | {"user-accumulators": [_typed(each) for each in new["user-accumulators"]]}


def attempt_accumulators(new: Shape) -> Shape:
    """Return the accumulators of an attempt, by a shorter id."""
    return accumulators(new) | {"id": new["id"][-_SHORT_ID:]}


def subtasks_accumulators(new: Shape) -> Shape:
    """Return the accumulators of each subtask."""
    return new | {"subtasks": [accumulators(each) for each in new["subtasks"]]}


def listed_subtask(new: Shape) -> Shape:
    """Return a subtask of a vertex, by its host alone."""
    return subtask(without(new, "start_time")) | {"host": new["host"].partition(":")[0]}


def taskmanagers(new: Shape) -> Shape:
    """Return the sums of a vertex by node, by fewer states."""
    told = [subtask(each) | {"status-counts": without(each["status-counts"], *_NO_TASK)} for each in new["taskmanagers"]]
    return new | {"taskmanagers": told}


def times(new: Shape) -> Shape:
    """Return when a subtask entered each state, by fewer states."""
    return new | {"timestamps": without(new["timestamps"], *_NO_TASK)}


def subtask(new: Shape) -> Shape:
    """Return an attempt, or the sums of several, by its host."""
    return _with_io(without(new, *_PLACE))


def _vertex(new: Shape) -> Shape:
    return _with_io(without(new, "maxParallelism")) | {"tasks": without(new["tasks"], *_NO_TASK)}


def _with_io(new: Shape) -> Shape:
    """Return something without saying whether what it read and wrote is complete."""
    return new | {"metrics": {name: new["metrics"][name] for name in _IO}}


def _typed(new: Shape) -> Shape:
    return new | {"value": f"{new['type']} {new['value']}"}
