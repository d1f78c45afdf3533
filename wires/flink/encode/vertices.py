"""A vertex: its subtasks, their times and their nodes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from switchyard.scheduling.lifecycle.states import TASK_ENDS, TASK_PLACES
from wires.flink import ids, states
from wires.flink.encode.measures import counts, io, io_of, pressed, times, together
from wires.writing import with_rows

if TYPE_CHECKING:
    from jobs.reading.attempts import Execution
    from jobs.reading.progress import Progress

Names = Mapping[int, str]
#: Turns a row into the shape that was asked for.
Shape = Callable[[dict[str, Any]], dict[str, Any]]
#: Instead of the time of a flame graph.
SWITCHED_OFF = -2
#: Milliseconds from one sample of back-pressure to the next, and how far the newest lies back at least: dashboards
#: subtract its end from the time at which they sent their request.
SAMPLE, LAG = 5000, 1000
#: Agents listen on no port.
PORT = 0


class Place(NamedTuple):
    """Where something runs: the name of a host, the same with a port, and the id of the node."""

    host: str
    address: str
    manager: str


#: Where a subtask is that no node has.
NOWHERE = Place(*["(unassigned)"] * 3)


def detail(stage: "Progress", found: Iterable["Execution"], names: Names, shape: Shape, *, now: int) -> Iterator[str]:
    """Yield the text of a vertex with its subtasks; the start stands under its old and its new name."""
    head = {"id": ids.vertex_id(stage.id), "name": stage.name, "parallelism": stage.tasks, "now": now}
    places = _places(names)
    rows = (shape(_listed(each, places.get(each.node, NOWHERE), now=now)) for each in found)
    return with_rows(head, "subtasks", rows)


def subtask(found: "Execution", names: Names, *, now: int) -> dict[str, Any]:
    """Return one attempt of a subtask."""
    return _subtask(found, place(found.node, names).host, now=now)


def subtask_times(
    stage: "Progress", found: Iterable["Execution"], names: Names, shape: Shape, *, created: int, now: int
) -> Iterator[str]:
    """Yield the text of when each subtask entered each state."""
    head = {"id": ids.vertex_id(stage.id), "name": stage.name, "now": now}
    places = _places(names)
    rows = (shape(_times(each, places.get(each.node, NOWHERE), created=created, now=now)) for each in found)
    return with_rows(head, "subtasks", rows)


def by_node(stage: "Progress", found: Iterable["Execution"], names: Names, *, now: int) -> dict[str, Any]:
    """Return the sums of a vertex for each node that has subtasks of it."""
    nodes: dict[int | None, list[Execution]] = {}
    for each in found:
        nodes.setdefault(each.node, []).append(each)
    told = [_on_node(node, nodes[node], names, now=now) for node in sorted(nodes, key=lambda node: names.get(node or 0, ""))]
    return {"id": ids.vertex_id(stage.id), "name": stage.name, "now": now, "taskmanagers": told}


def sampled_until(now: int) -> int:
    """Return when the newest sample of back-pressure ended."""
    return (now - LAG) // SAMPLE * SAMPLE


def backpressure(stage: "Progress", found: Iterable["Execution"], held: Sequence[float], *, until: int) -> dict[str, Any]:
    """Return how much subtasks are held back by full buffers, or blocked as they tell themselves."""
    if stage.ended is not None or stage.started is None:
        return {"status": "deprecated"}
    ratios = [(each.task, pressed(each, held)) for each in found]
    subtasks = [{"subtask": task, "backpressure-level": states.level(ratio), "ratio": ratio} for task, ratio in ratios]
    worst = states.level(max((ratio for _, ratio in ratios), default=0.0))
    return {"status": "ok", "backpressure-level": worst, "end-timestamp": until, "subtasks": subtasks}


def flamegraph() -> dict[str, Any]:
    """Return the graph that stands for one that is switched off."""
    return {"data": None, "endTimestamp": SWITCHED_OFF}


def place(node: int | None, names: Names) -> Place:
    """Return where a node is; one that was deleted is nowhere."""
    return NOWHERE if node is None or node not in names else _place(node, names[node])


def _places(names: Names) -> dict[int | None, Place]:
    return {node: _place(node, name) for node, name in names.items()}


def _place(node: int, name: str) -> Place:
    return Place(name, f"{name}:{PORT}", ids.node_id(node))


def _subtask(found: "Execution", host: str, *, now: int) -> dict[str, Any]:
    return {
        "subtask": found.task,
        "status": states.TASKS[found.state],
        "attempt": found.attempt,
        "host": host,
        **times(found.started, found.ended, now),
        "metrics": io_of(found),
    }


def _listed(found: "Execution", where: Place, *, now: int) -> dict[str, Any]:
    """Return an attempt with what later dashboards show of it."""
    told = _subtask(found, where.address, now=now)
    told["start_time"], told["endpoint"], told["taskmanager-id"] = told["start-time"], where.address, where.manager
    return told


def _times(found: "Execution", where: Place, *, created: int, now: int) -> dict[str, Any]:
    return {
        "subtask": found.task,
        "host": where.host,
        "duration": times(found.started, found.ended, now)["duration"],
        "timestamps": _timestamps(found, created),
    }


def _timestamps(found: "Execution", created: int) -> dict[str, int]:
    known = {
        "CREATED": created,
        "SCHEDULED": found.scheduled or 0,
        "DEPLOYING": found.started or 0,
        "RUNNING": found.started or 0,
    }
    if found.state in TASK_ENDS:
        known[states.TASKS[found.state]] = found.ended or 0
    return {word: known.get(word, 0) for word in states.TASK_WORDS}


def _on_node(node: int | None, found: list["Execution"], names: Names, *, now: int) -> dict[str, Any]:
    tally = [0] * TASK_PLACES
    for each in found:
        tally[each.state] += 1
    started = [each.started for each in found if each.started is not None]
    over = sum(tally[state] for state in TASK_ENDS) == len(found)
    ended = max((each.ended for each in found if each.ended is not None), default=None) if over else None
    where = place(node, names)
    return {
        "host": where.address,
        "endpoint": where.address,
        "status": states.TASKS[states.vertex(tuple(tally), ended=over)],
        **times(min(started, default=None), ended, now),
        "metrics": io(together(found)),
        "status-counts": counts(tally),
        "taskmanager-id": where.manager,
    }
