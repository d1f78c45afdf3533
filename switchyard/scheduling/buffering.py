"""Buffering: how many tasks of a stage may go ahead of the stage that takes their results one by one. Pure.

An edge with a buffer of n lets through those tasks of its producer of which at most n have results that wait, or will: the
lowest ones first, so that whatever the next task of the consumer is handed is always among them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.pointwise import within

#: Seconds that ratios look back.
WINDOW = 60.0
#: Seconds between marks: what happens within is told by the last.
STEP = 0.5


def through(taken: IndexSet, width: int, buffer: int) -> int:
    """Return up to which task a producer of this width is let through whose results have been `taken`."""
    waiting = (IndexSet.span(0, width) - taken).take(buffer)[1]
    return waiting.ranges[0][0] if waiting else width


def fed_alone(tasks: IndexSet, width: int, others: int) -> IndexSet:
    """Return those of `others` tasks whose share of the whole lies within that of these tasks of a stage of this width."""
    spans = (within(low, high, width, others) for low, high in tasks.ranges)
    return IndexSet.of((low, high) for low, high in spans if low < high)


@dataclass(frozen=True, slots=True)
class Mark:
    """From when on tasks were let through up to where; seconds since the epoch."""

    at: float
    through: int


def noted(marks: Sequence[Mark], mark: Mark) -> list[Mark]:
    """Add a mark, without those that no ratio looks back to any more, and with few of a moment."""
    known = list(marks)
    if len(known) > 1 and known[-1].at - known[-2].at < STEP:
        known.pop()
    known.append(mark)
    while len(known) > 1 and known[1].at < mark.at - WINDOW:
        known.pop(0)
    return known


def held_share(marks: Sequence[Mark], task: int, *, ready: float, now: float) -> float:
    """Return for which share of the last window a task was held back that was ready from then on but for that."""
    held = sum(
        max(0.0, min(until, now) - max(mark.at, ready, now - WINDOW))
        for mark, until in zip(marks, _ends(marks, now), strict=True)
        if mark.through <= task
    )
    return min(held / WINDOW, 1.0)


def _ends(marks: Sequence[Mark], now: float) -> Iterable[float]:
    return [*(mark.at for mark in marks[1:]), now]
