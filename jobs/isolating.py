"""Isolating: keep one bad job from stopping all. What fails for many is tried by halves until the culprit is alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from database import rows
from jobs.lease import LeaseLost

log = structlog.get_logger()
T = TypeVar("T")
R = TypeVar("R")


def isolate(items: Sequence[T], work: Callable[[Sequence[T]], R], blame: Callable[[T, str], None]) -> list[R]:
    """Do the work for all items at once, or for halves of them where that fails; blame an item that fails alone.

    Each call of `work` is a transaction of its own. A lost lease or connection is nobody's fault and is raised.
    """
    try:
        return [work(items)]
    except (LeaseLost, *rows.TRANSIENT):
        raise
    except Exception as error:
        if len(items) <= 1:
            log.exception("isolated")
            for item in items:
                blame(item, f"{type(error).__name__}: {error}")
            return []
    middle = len(items) // 2
    return [*isolate(items[:middle], work, blame), *isolate(items[middle:], work, blame)]
