"""Which results of other tasks a task is given, and a digest of that, alike on the server and on agents."""

from collections.abc import Iterable
from zlib import crc32

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.pointwise import overlapping


def shares(tasks: IndexSet, producers: int, consumers: int) -> IndexSet:
    """Return which of the producer's tasks feed these tasks of the consumer when the exchange is pointwise.

    They are those whose share of the whole overlaps.
    """
    return IndexSet.of(overlapping(low, high, consumers, producers) for low, high in tasks.ranges)


def digest(handed: Iterable[tuple[int, IndexSet]]) -> int:
    """Return a number that stands for which results a task was handed, as (stage, its tasks) in the order of stages.

    A task of those stages that gave no result is not among them.
    """
    return crc32(";".join(f"{stage}:{tasks.to_multirange()}" for stage, tasks in sorted(handed)).encode())
