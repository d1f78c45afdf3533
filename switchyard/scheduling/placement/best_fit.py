"""Best fit: fill the node that has the least left, so that whole nodes stay free for big work."""

import numpy as np

from switchyard.scheduling.cluster import IntArray
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.filling import in_order


class BestFit:
    """Nodes by the sum of their free shares of all resources, least first; ties stay in node order.

    A node without GPUs has none left, so work that needs no GPU goes there before it blocks a node that has.
    """

    def __init__(self, start: Start) -> None:
        self._cluster = start.cluster

    def __call__(self, ask: Ask) -> IntArray:
        (able,) = ask.fits.nonzero()
        left = self._cluster.free_shares(able).sum(axis=0)
        return in_order(able[np.argsort(left, kind="stable")], ask.fits, ask.count)
