"""How the stages of a job stand when it is submitted."""

from collections.abc import Iterable, Mapping, Sequence

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TASK_PLACES, TaskState
from switchyard.scheduling.plan import Request, infeasible
from switchyard.scheduling.refusals import Refusal
from switchyard.scheduling.resources import Resources
from switchyard.scheduling.spec.types import Exchange, JobSpec, Need, StageSpec


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


def refused(spec: JobSpec, nodes: Sequence[NodeView]) -> Mapping[int, Refusal]:
    """Say by position which stages no registered node could ever run; they wait all the same, for a node may come."""
    requests = [
        Request(
            stage=position,
            job=0,
            pool=spec.pool,
            count=stage.tasks or 1,
            demand=Resources(stage.resources),
            waiting_since=0,
            constraints=spec.constraints,
            gang_size=(stage.tasks or 1) if stage.gang else 0,
        )
        for position, stage in enumerate(spec.in_order())
    ]
    return infeasible(Cluster(nodes), requests)
