"""Sharing out a count over capacities in one vectorised step. Shared by the strategies; chooses no order itself."""

import numpy as np

from scheduling.cluster import IntArray


def in_order(order: IntArray, fits: IntArray, count: int) -> IntArray:
    """Fill the nodes one after the other, in this order, until `count` is given; return the counts by position."""
    room = fits[order]
    before = np.cumsum(room) - room
    counts = np.zeros_like(fits)
    counts[order] = np.clip(count - before, 0, room)
    return counts


def whole_turns(room: IntArray, count: int) -> int:
    """Return how often all can be given one each (those that are full are passed over) before `count` runs out."""
    levels = np.sort(room)
    below = np.cumsum(levels)
    others = np.arange(len(levels) - 1, -1, -1)
    full = int(np.searchsorted(below + others * levels, count, side="right"))
    if full == len(levels):
        return int(levels[-1]) if full else 0
    return int(count - (below[full - 1] if full else 0)) // (len(levels) - full)
