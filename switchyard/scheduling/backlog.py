"""Backlog: how many tasks a node's list may carry beyond those that hold resources, so that it never runs dry.

Entries without a hold cost nothing if they must be recalled, but work that waits on one node cannot start on another:
so a list carries little more than what runs while a report travels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from switchyard.scheduling.assignment import how_many

#: Measured work, in seconds a slot, and entries a slot, that may wait on a list.
SECONDS = 0.2
PER_SLOT = 1024
#: Entries a slot of a stage of which nothing has finished yet; doubles with what has.
UNMEASURED = 16
T = TypeVar("T")


@dataclass(slots=True)
class Measure:
    """How long tasks of one kind ran: of `count` tasks, `seconds` in all."""

    count: int = 0
    seconds: float = 0.0

    @property
    def mean(self) -> float | None:
        """Seconds a task; None while nothing is measured."""
        return self.seconds / self.count if self.count else None

    def add(self, count: int, seconds: float) -> None:
        """Count tasks that ran."""
        self.count += count
        self.seconds += seconds


@dataclass(slots=True)
class Queue:
    """What waits on one node's list without a hold, and what the node could run at once.

    `unmeasured` are those entries of which nobody knows how long they take.
    """

    node: int
    total: Mapping[str, int]
    entries: int = 0
    seconds: float = 0.0
    unmeasured: int = 0
    _slots: dict[tuple[tuple[str, int], ...], int] = field(default_factory=dict)

    def slots(self, demand: Mapping[str, int]) -> int:
        """Return how many tasks of this demand the node could run at once."""
        key = tuple(demand.items())
        if key not in self._slots:
            self._slots[key] = min(how_many(demand, self.total), 1024)
        return self._slots[key]

    def add(self, count: int, mean: float | None) -> None:
        """Count entries that now wait here."""
        self.entries += count
        self.seconds += count * (mean or 0.0)
        self.unmeasured += 0 if mean else count


def is_short(mean: float | None) -> bool:
    """Say whether tasks of this mean may wait on a list at all; unmeasured ones may."""
    return mean is None or mean <= SECONDS


def allowance(queue: Queue, demand: Mapping[str, int], measure: Measure, own: int) -> int:
    """Return how many more tasks of a stage may wait on this list, where `own` of them wait already."""
    if not is_short(measure.mean):
        return 0
    slots = queue.slots(demand)
    left = PER_SLOT * slots - queue.entries
    if measure.mean:
        left = min(left, int((SECONDS * slots - queue.seconds) / measure.mean))
    return max(0, min(left, max(UNMEASURED, 2 * measure.count) * slots - own))


def spread(count: int, lists: Iterable[tuple[T, int, int]]) -> list[tuple[T, int]]:
    """Divide `count` tasks among the first lists, so few that each gets about two for every slot, or all it allows.

    Lists are given as (node, allowance, slots), the emptiest first, and no more of them are looked at than are needed. A
    handful of tasks on every list of a large cluster would be as many entries to write, send and read back.
    """
    chosen, room = [], 0
    for node, allows, slots in lists:
        chosen.append((node, allows))
        room += min(allows, 2 * slots)
        if room >= count:
            break
    shares = share(count, [allows for _, allows in chosen])
    return [(node, part) for (node, _), part in zip(chosen, shares, strict=True) if part]


def share(count: int, allowances: Sequence[int]) -> list[int]:
    """Divide `count` tasks among lists in proportion to what each allows, never above it."""
    allowed = sum(allowances)
    if count >= allowed:
        return list(allowances)
    shares = [count * allows // allowed for allows in allowances]
    left = count - sum(shares)
    for at, allows in enumerate(allowances):
        extra = min(left, allows - shares[at], 1)
        shares[at] += extra
        left -= extra
    return shares
