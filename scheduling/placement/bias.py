"""Bias: drain the node with the most free slots first, then the next. As in Ballista's `bias` (its default)."""

import numpy as np

from scheduling.cluster import Cluster, IntArray
from scheduling.placement.filling import in_order
from scheduling.resources import Resources


class Bias:
    """Nodes in order of their free slots at the start of the round, most first; ties stay in node order."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._order = np.argsort(-cluster.free_slots(), kind="stable")

    def __call__(self, demand: Resources, fits: IntArray, count: int) -> IntArray:
        return in_order(self._order, fits, count)
