"""A node's list and the one rule for granting its entries, shared by the server and the agent.

The server applies it to hold resources; the agent applies it to start tasks. Because both walk the same list with the
same rule, an agent may go on through its list without asking.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar


class Entry(Protocol):
    """A run of alike tasks on a node's list."""

    @property
    def demand(self) -> Mapping[str, int]:
        """What one of its tasks holds, with devices by name."""

    @property
    def waiting(self) -> int:
        """How many of its tasks have no grant yet."""

    @property
    def startable(self) -> bool:
        """Say whether every stage that it comes after has ended FINISHED."""


E = TypeVar("E", bound=Entry)


def promote(entries: Iterable[E], room: Mapping[str, int]) -> list[tuple[E, int]]:
    """Return how many tasks of which entries may be granted now, in list order.

    Walks in order, skips entries that are not startable, grants what fits, and stops at the first startable entry that
    does not fit whole: nothing overtakes it. `room` is what is free, by resource; it is not changed.
    """
    free = dict(room)
    granted = []
    for entry in entries:
        if not entry.startable or not entry.waiting:
            continue
        count = min(entry.waiting, how_many(entry.demand, free))
        if count:
            granted.append((entry, count))
            for name, amount in entry.demand.items():
                free[name] = free.get(name, 0) - amount * count
        if count < entry.waiting:
            break
    return granted


def how_many(demand: Mapping[str, int], free: Mapping[str, int]) -> int:
    """Return how many tasks of this demand fit at once into what is free; without any demand, a million."""
    return max(0, min((free.get(name, 0) // amount for name, amount in demand.items() if amount), default=1_000_000))
