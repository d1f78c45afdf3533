"""Round robin: one task per node per turn, going on across stages and jobs. Ballista's `round-robin`."""

import numpy as np

from switchyard.scheduling.cluster import IntArray
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.filling import whole_turns


class RoundRobin:
    """Nodes in order of their free slots at the start of the round, most first; ties stay in node order.

    The cursor stands behind the node that was served last, and stays there for the next request.
    """

    def __init__(self, start: Start) -> None:
        self._order = np.argsort(-start.cluster.free_slots(), kind="stable")
        self._cursor = 0

    def __call__(self, ask: Ask) -> IntArray:
        order = np.concatenate((self._order[self._cursor :], self._order[: self._cursor]))
        room = ask.fits[order]
        turns = whole_turns(room, ask.count)
        given = np.minimum(room, turns)
        extra = (room > turns).nonzero()[0][: ask.count - int(given.sum())]
        given[extra] += 1
        served = extra if len(extra) else (room >= turns).nonzero()[0]
        self._cursor = (self._cursor + int(served[-1]) + 1) % len(order)
        counts = np.zeros_like(given)
        counts[order] = given
        return counts
