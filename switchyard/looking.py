"""Look at something until it has ended."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from switchyard.answers import JobStatus, OperationStatus

Ending = TypeVar("Ending", JobStatus, OperationStatus)
FIRST, LONGEST, GROWTH = 0.01, 1.0, 1.3


def looks(ask: Callable[[], Ending]) -> Iterator[Ending]:
    """Yield what is asked for, again and again until it has ended, with growing pauses."""
    pause = FIRST
    while True:
        yield (now := ask())
        if now.has_ended:
            return
        time.sleep(pause)
        pause = min(pause * GROWTH, LONGEST)
