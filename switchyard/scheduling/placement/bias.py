"""Bias: drain the node with the most free slots first, then the next. Ballista's default, `bias`."""

import numpy as np

from switchyard.scheduling.cluster import IntArray
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.filling import in_order


class Bias:
    """Nodes in order of their free slots at the start of the round, most first; ties stay in node order."""

    def __init__(self, start: Start) -> None:
        self._order = np.argsort(-start.cluster.free_slots(), kind="stable")

    def __call__(self, ask: Ask) -> IntArray:
        return in_order(self._order, ask.fits, ask.count)
