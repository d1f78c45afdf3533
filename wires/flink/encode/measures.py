"""What is told alike of jobs, vertices and subtasks: times, counts by state, what was read and written."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from wires.flink.states import TASK_WORDS

if TYPE_CHECKING:
    from jobs.showing_executions import Execution
    from jobs.showing_progress import Flows

#: For what has not begun or has not ended.
NONE = -1
#: The names of what was read and written, each with the metric by which tasks tell of it.
FLOWS = {
    "read-bytes": "read_bytes",
    "write-bytes": "write_bytes",
    "read-records": "read_records",
    "write-records": "write_records",
}
_IO = tuple(told for name in FLOWS for told in (name, f"{name}-complete"))
LARGEST = 2**63 - 1
#: What was read or written, and whether all that could tell has told.
Told = tuple[int, bool]
_SILENT: "list[Told]" = [(0, False)] * len(FLOWS)
_NOT_BEGUN: "list[Told]" = [(0, True)] * len(FLOWS)


def times(started: int | None, ended: int | None, now: int) -> dict[str, int]:
    """Return when something began and ended, and how long it took or takes."""
    if started is None:
        return {"start-time": NONE, "end-time": NONE, "duration": NONE}
    until = now if ended is None else ended
    return {"start-time": started, "end-time": NONE if ended is None else ended, "duration": max(until - started, 0)}


def counts(found: Sequence[int]) -> dict[str, int]:
    """Return how many tasks are in each state."""
    return dict(zip(TASK_WORDS, found, strict=True))


def io(flows: "Flows | Sequence[Told]") -> dict[str, Any]:
    """Return what was read and written."""
    return dict(zip(_IO, chain.from_iterable(flows), strict=True))


def flows_of(found: "Execution") -> list[Told]:
    """Return what one attempt read and wrote; one that has not begun has read nothing, and that is known."""
    metrics, begun = found.metrics, found.started is not None
    if not metrics:
        return _SILENT if begun else _NOT_BEGUN
    return [_flow(metrics.get(name), begun=begun) for name in FLOWS.values()]


def together(found: Iterable[Sequence[Told]]) -> list[Told]:
    """Return the sums of what several attempts read and wrote."""
    columns = zip(*found, strict=True)
    return [(min(sum(value for value, _ in column), LARGEST), all(known for _, known in column)) for column in columns]


def _flow(value: object, *, begun: bool) -> Told:
    if isinstance(value, int | float):
        return int(max(min(value, LARGEST), 0)), True
    return 0, not begun
