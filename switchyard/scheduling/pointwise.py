"""Pointwise exchanges: which tasks of one stage feed which of another. Each task has an equal share of the whole.

Ranges are half-open. All takes one index, or an array of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Index = TypeVar("Index", int, "NDArray[np.int64]")


def overlapping(low: Index, high: Index, width: int, others: int) -> tuple[Index, Index]:
    """Return the range of `others` tasks whose share overlaps that of the tasks [low, high) of a stage of this width."""
    return low * others // width, -(-high * others // width)


def within(low: int, high: int, width: int, others: int) -> tuple[int, int]:
    """Return the range of `others` tasks whose share lies within that of the tasks [low, high) of a stage of this width."""
    return -(-low * others // width), high * others // width
