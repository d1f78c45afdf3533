"""Metrics by Flink's names: of one object as texts, of several as sum, minimum, maximum and mean."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import JOB_ENDS, TaskState
from wires.flink.decode import Aggregation
from wires.flink.encode import checkpoints, nodes
from wires.flink.encode.measures import pressed

if TYPE_CHECKING:
    from jobs.reading.attempts import Execution
    from jobs.reading.checkpoints import Figures
    from jobs.reading.counts import Tally

Metrics = Mapping[str, Any]
#: In milliseconds.
SECOND = 1000
#: Flink's names of what tasks tell by ours.
TASKS = {
    "numBytesIn": "read_bytes",
    "numBytesOut": "write_bytes",
    "numRecordsIn": "read_records",
    "numRecordsOut": "write_records",
}
#: What a JVM has, and no process of ours.
_OF_A_JVM = (
    *(f"Status.JVM.Memory.NonHeap.{name}" for name in ("Used", "Committed", "Max")),
    *(
        f"Status.JVM.Memory.{kind}.{name}"
        for kind in ("Direct", "Mapped")
        for name in ("Count", "MemoryUsed", "TotalCapacity")
    ),
    *(f"Status.{of}.{name}MemorySegments" for of in ("Network", "Shuffle.Netty") for name in ("Available", "Total")),
    "Status.JVM.ClassLoader.ClassesLoaded",
    "Status.JVM.ClassLoader.ClassesUnloaded",
)
#: Beyond this a value is no use to anybody, and no number to some.
_LARGEST = 10**300
_AGGREGATE: dict[Aggregation, Callable[[Sequence[float]], float]] = {
    Aggregation.MIN: min,
    Aggregation.MAX: max,
    Aggregation.AVG: lambda values: sum(values) / len(values),
    Aggregation.SUM: sum,
}


def plain(found: Metrics, wanted: Sequence[str] | None) -> list[dict[str, str]]:
    """Return the names of metrics, or the values of those that are wanted and there."""
    if wanted is None:
        return [{"id": name} for name in found]
    return [{"id": name, "value": str(found[name])} for name in _joined(wanted, found) if name in found]


def aggregated(found: Iterable[Metrics], wanted: Sequence[str] | None, kinds: Iterable[Aggregation]) -> list[dict[str, Any]]:
    """Return the names of the metrics of several things, or what comes of the values of those that are wanted."""
    things = list(found)
    if wanted is None:
        return [{"id": name} for name in dict.fromkeys(name for thing in things for name in thing)]
    names = _joined(wanted, {name for thing in things for name in thing})
    values = {name: [thing[name] for thing in things if _is_number(thing.get(name))] for name in names}
    return [
        {"id": name, **{kind.value: float(_AGGREGATE[kind](numbers)) for kind in kinds}}
        for name, numbers in values.items()
        if numbers
    ]


def _joined(parts: Sequence[str], known: Collection[str]) -> list[str]:
    """Put together what was cut at commas that are part of a metric's name."""
    longest = 1 + max((name.count(",") for name in known), default=0)
    names, at = [], 0
    while at < len(parts):
        sizes = range(min(longest, len(parts) - at), 1, -1)
        size = next((size for size in sizes if ",".join(parts[at : at + size]) in known), 1)
        names.append(",".join(parts[at : at + size]))
        at += size
    return names


def of_job(tally: "Tally", figures: "Figures | None", now: int) -> dict[str, Any]:
    """Return the metrics of a job; `figures` are those of its checkpoints."""
    until = now if tally.ended is None else tally.ended
    up = max(until - tally.started, 0) if tally.started is not None else 0
    times = {"uptime": up, "downtime": 0, "restartingTime": 0, "fullRestarts": 0}
    return times | checkpoints.metrics(figures)


def is_live(tally: "Tally") -> bool:
    """Say whether a job is one of those whose metrics are summed up when none is named."""
    return tally.state not in JOB_ENDS


def of_task(found: "Execution", held: Sequence[float], now: int) -> dict[str, Any]:
    """Return the metrics of a task: those that Flink has too by its names, and all by their own."""
    metrics = found.metrics
    flows = {name: metrics[ours] for name, ours in TASKS.items() if ours in metrics}
    return {**flows, **_rates(flows, found, now), **_pressure(found, held), **metrics}


def of_vertex(found: Iterable["Execution"], held: Sequence[float], now: int) -> dict[str, Any]:
    """Return the metrics of all tasks of a vertex, each with the task's index before its name."""
    return {f"{each.task}.{name}": value for each in found for name, value in of_task(each, held, now).items()}


def of_node(node: nodes.Node) -> dict[str, Any]:
    """Return the metrics of a node: what its agent takes, and its machine's load."""
    own = nodes.process(node)
    taken = {"Status.JVM.CPU.Load": nodes.load(node), "Status.JVM.Threads.Count": own["threads"]}
    return _process(own, heap_max=nodes.memory(node)[0]) | taken | _collections(node)


def of_manager(overview: Mapping[str, Any], process: Mapping[str, int | float], heap_max: int) -> dict[str, Any]:
    """Return the metrics of the cluster and of the process that answers; `overview` is as told to dashboards."""
    return {
        "taskSlotsTotal": overview["slots-total"],
        "taskSlotsAvailable": overview["slots-available"],
        "numRegisteredTaskManagers": overview["taskmanagers"],
        "numRunningJobs": overview["jobs-running"],
        **_process(process, heap_max=heap_max),
        "Status.JVM.CPU.Time": round(process["cpu_seconds"] * 10**9),
        "Status.JVM.Threads.Count": process["threads"],
    }


def _rates(flows: Metrics, found: "Execution", now: int) -> dict[str, float]:
    """Return what a task that runs has read and written in a second, on the whole."""
    if found.state is not TaskState.RUNNING or found.started is None:
        return {}
    seconds = max(now - found.started, SECOND) / SECOND
    return {f"{name}PerSecond": value / seconds for name, value in flows.items() if _is_number(value)}


def _pressure(found: "Execution", held: Sequence[float]) -> dict[str, int]:
    """Return how a second of a task is spent, if it runs or is held back."""
    back, runs = round(pressed(found, held) * SECOND), found.state is TaskState.RUNNING
    if not back and not runs:
        return {}
    busy = SECOND - back if runs else 0
    spent = {"backPressured": back, "busy": busy, "idle": SECOND - back - busy}
    return {f"{name}TimeMsPerSecond": value for name, value in spent.items()}


def _process(process: Mapping[str, Any], *, heap_max: int) -> dict[str, Any]:
    return {
        "Status.JVM.Memory.Heap.Used": process["rss"],
        "Status.JVM.Memory.Heap.Committed": process["vms"],
        "Status.JVM.Memory.Heap.Max": heap_max,
        **dict.fromkeys(_OF_A_JVM, 0),
    }


def _collections(node: nodes.Node) -> dict[str, int]:
    return {
        f"Status.JVM.GarbageCollector.{each['name'].replace(' ', '_')}.{name.title()}": each[name]
        for each in nodes.collectors(node)
        for name in ("count", "time")
    }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
