"""How the stages of a job stand when it is submitted."""

from collections.abc import Iterable

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TASK_PLACES, TaskState
from switchyard.scheduling.spec.types import Exchange, Need, StageSpec


def counts_at_first(count: int) -> list[int]:
    """Return the tasks of a stage by state: all are CREATED."""
    counts = [0] * TASK_PLACES
    counts[TaskState.CREATED] = count
    return counts


def open_needs(stage: StageSpec) -> int:
    """Return how many stages must end before tasks of this one may be placed."""
    return sum(need.exchange is Exchange.ALL for need in stage.upstreams)


def smallest_buffers(needs: Iterable[Need]) -> dict[str, int]:
    """Return the smallest buffer that each stage gives to."""
    found: dict[str, int] = {}
    for need in needs:
        if need.buffer is not None:
            found[need.stage] = min(need.buffer, found.get(need.stage, need.buffer))
    return found


def blocked_at_first(stage: StageSpec, buffer: int | None) -> IndexSet:
    """Return the tasks that wait for a pointwise input, or for room in a buffer."""
    count = stage.tasks or 0
    if any(need.exchange is Exchange.POINTWISE for need in stage.upstreams):
        return IndexSet.span(0, count)
    return IndexSet.span(count if buffer is None else min(buffer, count), count)
