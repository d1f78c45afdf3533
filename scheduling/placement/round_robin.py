"""Round robin: one task per node per turn, going on across stages and jobs. As in Ballista's `round-robin`."""

import numpy as np

from scheduling.cluster import Cluster, IntArray
from scheduling.placement.filling import whole_turns
from scheduling.resources import Resources


class RoundRobin:
    """Nodes in order of their free slots at the start of the round, most first; ties stay in node order.

    The cursor stands behind the node that was served last, and stays there for the next request.
    """

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._order = np.argsort(-cluster.free_slots(), kind="stable")
        self._cursor = 0

    def __call__(self, demand: Resources, fits: IntArray, count: int) -> IntArray:
        order = np.roll(self._order, -self._cursor)
        room = fits[order]
        turns = whole_turns(room, count)
        given = np.minimum(room, turns)
        (open_,) = (room > turns).nonzero()
        extra = open_[: count - int(given.sum())]
        given[extra] += 1
        self._move_behind(extra if len(extra) else (given == turns).nonzero()[0])
        counts = np.zeros_like(fits)
        counts[order] = given
        return counts

    def _move_behind(self, served: IntArray) -> None:
        self._cursor = (self._cursor + int(served[-1]) + 1) % len(self._order)
