"""The signature of an allocation algorithm, and the list of those there are (docs/adding-an-algorithm.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from switchyard.scheduling.allocation.fifo import fifo
from switchyard.scheduling.allocation.lifo import lifo
from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.resources import Resources


class Order(Enum):
    """By priority, and then by submission."""

    OLDEST_FIRST = "oldest first"
    NEWEST_FIRST = "newest first"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`allocate` returns a target for each job of a pool with this capacity, in the order in which they are served.

    With an `order`, it grants each job as much as it asks for, in this order. A round then reads only the jobs at the front,
    and `running` and `at_most` count only their stages that it read.
    """

    allocate: Callable[[Sequence[JobRequest], Resources], list[Target]]
    order: Order | None = None


ALGORITHMS: dict[str, Algorithm] = {
    "fifo": Algorithm(fifo, Order.OLDEST_FIRST),
    "lifo": Algorithm(lifo, Order.NEWEST_FIRST),
}
