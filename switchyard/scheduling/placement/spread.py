"""Spread: keep all nodes equally loaded, by filling the emptiest as water would.

A node's level is the share in use of whichever demanded resource is the scarcest there. The tasks go where
they raise levels least; the water line is found by bisection, to one part in STEPS, so no task is looked at
alone.
"""

import numpy as np
from numpy.typing import NDArray

from switchyard.scheduling.cluster import Cluster, IntArray
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.filling import in_order

STEPS = 1 << 10


class Spread:
    """Ties are settled by the seed, so that single tasks do not all meet on the first of many idle nodes."""

    def __init__(self, start: Start) -> None:
        self._cluster = start.cluster
        self._nodes = np.random.default_rng(start.seed).permutation(len(start.cluster))

    def __call__(self, ask: Ask) -> IntArray:
        able = self._nodes[ask.fits[self._nodes] > 0]
        levels = _Basins(self._cluster, ask, able).levels_with_one()
        # A node whose first task would not be among the `count` lowest gets none.
        nodes = able[np.argsort(levels, kind="stable")[: ask.count]]
        counts = np.zeros_like(ask.fits)
        low, high = _Basins(self._cluster, ask, nodes).around(ask.count)
        counts[nodes] = low + in_order(np.arange(len(nodes)), high - low, ask.count - int(low.sum()))
        return counts


class _Basins:
    """Some nodes, and how many tasks each takes up to a water line of line/STEPS."""

    def __init__(self, cluster: Cluster, ask: Ask, nodes: IntArray) -> None:
        self._fits = ask.fits[nodes]
        self._demand = np.fromiter(ask.demand.values(), dtype=np.int64, count=len(ask.demand))[:, None]
        self._held, self._total = cluster.held(ask.demand, nodes)

    def around(self, count: int) -> tuple[IntArray, IntArray]:
        """Return what fits below two neighbouring lines: at most `count`, and at least `count`."""
        low, high = -1, STEPS
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if int(self._below(middle).sum()) <= count else (low, middle)
        return self._below(low), self._below(high)

    def levels_with_one(self) -> NDArray[np.float64]:
        """Return the level that each node would have with one task."""
        shares = (self._held + self._demand) / self._total
        levels: NDArray[np.float64] = shares.max(axis=0, initial=0.0)
        return levels

    def _below(self, line: int) -> IntArray:
        if line < 0:
            return np.zeros_like(self._fits)
        room = (line * self._total // STEPS - self._held) // self._demand
        below: IntArray = np.clip(room.min(axis=0, initial=np.iinfo(np.int64).max), 0, self._fits)
        return below
