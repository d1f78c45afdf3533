"""Common values of jobs, vertices and subtasks: times, counts by state, data read and written."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import TASK_ENDS, TaskState
from wires.flink.states import TASK_WORDS, TASKS

if TYPE_CHECKING:
    from jobs.reading.attempts import Execution
    from jobs.reading.counts import Tally
    from jobs.reading.progress import Flow

#: Tasks by their words, as long as there are none.
_NO_TASKS = dict.fromkeys(TASK_WORDS, 0)
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
_NAMES = tuple((name, f"{name}-complete", ours) for name, ours in FLOWS.items())
#: What attempts read and wrote that reported nothing: while that may still come, and once it cannot or need not.
_NOT_YET = {told: 0 if told in FLOWS else False for told in _IO}
_NOTHING = {told: 0 if told in FLOWS else True for told in _IO}


def times(started: int | None, ended: int | None, now: int) -> dict[str, int]:
    """Return when something began and ended, and how long it took or takes."""
    if started is None:
        return {"start-time": NONE, "end-time": NONE, "duration": NONE}
    until = now if ended is None else ended
    return {"start-time": started, "end-time": NONE if ended is None else ended, "duration": max(until - started, 0)}


def last_modification(job: "Tally") -> int:
    """Return when a job or one of its stages last began or ended."""
    return max(at for at in (job.created, job.started, job.ended, job.stage_changed) if at is not None)


def counts(found: Sequence[int]) -> dict[str, int]:
    """Return how many tasks are in each state."""
    return _NO_TASKS | {word: found[state] for state, word in TASKS.items()}


def io(flows: Iterable[Told]) -> dict[str, Any]:
    """Return the sums of a vertex by Flink's names."""
    return dict(zip(_IO, chain.from_iterable(flows), strict=True))


def sums(flows: Iterable["Flow"]) -> list[Told]:
    """Return the sums of a stage within 64 bits. A sum is complete if every task that runs has reported."""
    return [(max(min(each.sum, LARGEST), 0), not each.missing) for each in flows]


def io_of(found: "Execution") -> dict[str, Any]:
    """Return what one attempt read and wrote."""
    metrics, open_ = found.metrics, _is_open(found)
    if not metrics:
        return _NOT_YET if open_ else _NOTHING
    told: dict[str, Any] = {}
    for name, complete, ours in _NAMES:
        told[name], told[complete] = _flow(metrics.get(ours), open_=open_)
    return told


def pressed(found: "Execution", held: Sequence[float]) -> float:
    """Return which share of its time a subtask is held back: by full buffers, or as it says itself."""
    told = found.metrics.get("blocked") if found.state is TaskState.RUNNING else None
    blocked = min(max(float(told), 0.0), 1.0) if isinstance(told, int | float) else 0.0
    return max(held[found.task] if found.task < len(held) else 0.0, blocked)


def together(found: Iterable["Execution"]) -> list[Told]:
    """Return the sums of what several attempts read and wrote."""
    sums, known = [0] * len(FLOWS), [True] * len(FLOWS)
    for each in found:
        metrics, open_ = each.metrics, _is_open(each)
        for place, ours in enumerate(FLOWS.values()):
            value, complete = _flow(metrics.get(ours), open_=open_)
            sums[place] += value
            known[place] = known[place] and complete
    return [(min(value, LARGEST), complete) for value, complete in zip(sums, known, strict=True)]


def _is_open(found: "Execution") -> bool:
    """Return whether an attempt may still report what it reads: it has begun and not ended."""
    return found.started is not None and found.state not in TASK_ENDS


def _flow(value: object, *, open_: bool) -> Told:
    if value is None:
        return 0, not open_
    if type(value) is int and 0 <= value <= LARGEST:
        return value, True
    if not isinstance(value, int | float):
        return 0, not open_
    return int(max(min(value, LARGEST), 0)), True
