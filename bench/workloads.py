"""The workloads by name, in the order in which they are measured, and what each is run on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import throughput
from bench.installation import Installation
from bench.reference import Reference
from bench.rows import Measured

#: Agents and slots of each: the same two slots, on one node and on two.
SHAPES = ((1, 2), (2, 1))


@dataclass(frozen=True, slots=True)
class Workload:
    """How something is measured; `reference` chooses what of raw Celery it is compared with."""

    measure: Callable[[Installation], Iterator[Measured]]
    reference: Callable[[Reference], float] | None = None
    shapes: Sequence[tuple[int, int]] = SHAPES
    telling: bool = False


def _tasks(reference: Reference) -> float:
    return reference.per_s


WORKLOADS = {
    "fanout": Workload(throughput.fanout, _tasks),
    "chain": Workload(throughput.chain, _tasks),
    "layers": Workload(throughput.layers, _tasks),
    "commands": Workload(throughput.commands, _tasks),
    "tail": Workload(throughput.tail),
}
