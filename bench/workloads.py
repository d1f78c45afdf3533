"""The workloads by name, in the order in which they are measured, and what each is run on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench import cluster, core, files, requests, resting, rounds, statements, states, throughput, wires
from bench.installation import Given, Installation
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
    given: Given | None = None


def _tasks(reference: Reference) -> float:
    return reference.per_s


def _sent(reference: Reference) -> float:
    return reference.sent_per_s


ON_AN_INSTALLATION = {
    "fanout": Workload(throughput.fanout, _tasks),
    "chain": Workload(throughput.chain, _tasks),
    "layers": Workload(throughput.layers, _tasks),
    "commands": Workload(throughput.commands, _tasks),
    "manyjobs": Workload(requests.manyjobs, _tasks),
    "single": Workload(requests.single, _tasks),
    "cluster": Workload(cluster.cluster, _tasks, shapes=((0, 0),), given=rounds.TOLD_OF),
    "files": Workload(files.files, shapes=((2, 1),)),
    "states": Workload(states.states, _tasks, shapes=((2, 1),)),
    "tail": Workload(throughput.tail),
    "submit": Workload(requests.submit, _sent),
    "idle": Workload(resting.idle),
    "backlog": Workload(resting.backlog, _tasks, given=rounds.TOLD_OF),
    "wires": Workload(wires.wires, shapes=((1, 2),), given=statements.TOLD_OF),
}
ALONE = {"core": core.run}
NAMES = (*ON_AN_INSTALLATION, *ALONE)
