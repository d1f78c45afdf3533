"""A vertex: its subtasks, their times, and the nodes that they run on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduling.lifecycle import TASK_ENDS, TaskState
from wires.flink import ids, states
from wires.flink.encode.measures import counts, io, io_of, times, together
from wires.writing import with_rows

if TYPE_CHECKING:
    from jobs.showing_executions import Execution
    from jobs.showing_progress import Progress

Names = Mapping[int, str]
#: Turns a row into the shape that was asked for.
Shape = Callable[[dict[str, Any]], dict[str, Any]]
#: Where a subtask is that no node has.
UNASSIGNED = "(unassigned)"
PORT = 0


def detail(stage: "Progress", found: Iterable["Execution"], names: Names, shape: Shape, *, now: int) -> Iterator[str]:
    """Yield the text of a vertex with its subtasks; the start stands under its old and its new name."""
    head = {"id": ids.vertex_id(stage.id), "name": stage.name, "parallelism": stage.tasks, "now": now}
    rows = (shape(_listed(each, names, now=now)) for each in found)
    return with_rows(head, "subtasks", rows)


def subtask(found: "Execution", names: Names, *, now: int) -> dict[str, Any]:
    """Return one attempt of a subtask."""
    return {
        "subtask": found.task,
        "status": states.TASK_WORDS[found.state],
        "attempt": found.attempt,
        "host": host(found.node, names),
        **times(found.started, found.ended, now),
        "metrics": io_of(found),
    }


def subtask_times(
    stage: "Progress", found: Iterable["Execution"], names: Names, shape: Shape, *, created: int, now: int
) -> Iterator[str]:
    """Yield the text of when each subtask entered each state."""
    head = {"id": ids.vertex_id(stage.id), "name": stage.name, "now": now}
    rows = (shape(_times(each, names, created=created, now=now)) for each in found)
    return with_rows(head, "subtasks", rows)


def by_node(stage: "Progress", found: Iterable["Execution"], names: Names, *, now: int) -> dict[str, Any]:
    """Return the sums of a vertex for each node that has subtasks of it."""
    nodes: dict[int | None, list[Execution]] = {}
    for each in found:
        nodes.setdefault(each.node, []).append(each)
    told = [_on_node(node, nodes[node], names, now=now) for node in sorted(nodes, key=lambda node: names.get(node or 0, ""))]
    return {"id": ids.vertex_id(stage.id), "name": stage.name, "now": now, "taskmanagers": told}


def backpressure(stage: "Progress", found: Iterable["Execution"], held: Sequence[float], *, now: int) -> dict[str, Any]:
    """Return how much subtasks are held back by full buffers, or blocked as they tell themselves."""
    if stage.ended is not None or stage.started is None:
        return {"status": "deprecated"}
    ratios = [(each.task, max(held[each.task] if each.task < len(held) else 0.0, _blocked(each))) for each in found]
    subtasks = [{"subtask": task, "backpressure-level": states.level(ratio), "ratio": ratio} for task, ratio in ratios]
    worst = states.level(max((ratio for _, ratio in ratios), default=0.0))
    return {"status": "ok", "backpressure-level": worst, "end-timestamp": now, "subtasks": subtasks}


def host(node: int | None, names: Names) -> str:
    """Return the host name of a node; one that was deleted has none."""
    return UNASSIGNED if node is None else names.get(node, UNASSIGNED)


def address(node: int | None, names: Names) -> str:
    """Return the host name and the port of a node; agents listen on none."""
    name = host(node, names)
    return name if name == UNASSIGNED else f"{name}:{PORT}"


def _listed(found: "Execution", names: Names, *, now: int) -> dict[str, Any]:
    told = subtask(found, names, now=now)
    return told | {"host": address(found.node, names), "start_time": told["start-time"]}


def _times(found: "Execution", names: Names, *, created: int, now: int) -> dict[str, Any]:
    return {
        "subtask": found.task,
        "host": host(found.node, names),
        "duration": times(found.started, found.ended, now)["duration"],
        "timestamps": _timestamps(found, created),
    }


def _timestamps(found: "Execution", created: int) -> dict[str, int]:
    known = {
        TaskState.CREATED: created,
        TaskState.SCHEDULED: found.scheduled or 0,
        TaskState.DEPLOYING: found.started or 0,
        TaskState.RUNNING: found.started or 0,
    }
    if found.state in TASK_ENDS:
        known[found.state] = found.ended or 0
    return {word: known.get(state, 0) for state, word in states.TASKS.items()}


def _on_node(node: int | None, found: list["Execution"], names: Names, *, now: int) -> dict[str, Any]:
    tasks = Counter(each.state for each in found)
    tally = tuple(tasks[state] for state in TaskState)
    started = [each.started for each in found if each.started is not None]
    over = sum(tasks[state] for state in TASK_ENDS) == len(found)
    ended = max((each.ended for each in found if each.ended is not None), default=None) if over else None
    return {
        "host": address(node, names),
        "status": states.TASKS[states.vertex(tally, ended=over)],
        **times(min(started, default=None), ended, now),
        "metrics": io(together(found)),
        "status-counts": counts(tally),
    }


def _blocked(found: "Execution") -> float:
    """Return which share of its time a subtask says that it cannot hand on what it has."""
    told = found.metrics.get("blocked") if found.state is TaskState.RUNNING else None
    return min(max(float(told), 0.0), 1.0) if isinstance(told, int | float) else 0.0
