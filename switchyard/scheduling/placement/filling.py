"""Sharing out a count over capacities in one vectorised step; in which order, the strategies say."""

import numpy as np

from switchyard.scheduling.cluster import IntArray


def in_order(order: IntArray, fits: IntArray, count: int) -> IntArray:
    """Fill the nodes one after the other until `count` is given; return the counts by position."""
    room = fits[order]
    before = np.cumsum(room) - room
    counts = np.zeros_like(fits)
    counts[order] = np.clip(count - before, 0, room)
    return counts


def whole_turns(room: IntArray, count: int) -> int:
    """Return how many full turns `count` lasts for; each gives one to every node that has room left."""
    levels = np.sort(room)
    below = np.cumsum(levels)
    deeper = np.arange(len(levels) - 1, -1, -1)
    filled = int(np.searchsorted(below + deeper * levels, count, side="right"))
    if filled == len(levels):
        return int(levels[-1])
    spent = int(below[filled - 1]) if filled else 0
    return (count - spent) // (len(levels) - filled)
