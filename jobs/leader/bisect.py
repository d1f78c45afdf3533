"""Keep one bad job from stopping all. A batch that fails is halved until the bad job is found."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

import structlog

from database import rows
from jobs.leader import watchdog
from nodes import events
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.records import LeaseLost

log = structlog.get_logger()
T = TypeVar("T")
R = TypeVar("R")


def isolate(items: Sequence[T], work: Callable[[Sequence[T]], R], blame: Callable[[T, str], None]) -> list[R]:
    """Do the work for all items at once, or for halves of them where that fails; blame an item that fails alone.

    Each call of `work` is a transaction of its own. A lost lease or connection is nobody's fault and is raised.
    """
    if len(items) > 1 and watchdog.is_suspected():
        return [done for item in items for done in isolate([item], work, blame)]
    watchdog.get_on(items=items)
    try:
        done = work(items)
    except Exception as error:
        raise_if_blameless(error)
        if len(items) <= 1:
            log.exception("isolated")
            for item in items:
                blame(item, f"{type(error).__name__}: {error}")
            return []
    else:
        watchdog.get_on()
        return [done]
    middle = len(items) // 2
    return [*isolate(items[:middle], work, blame), *isolate(items[middle:], work, blame)]


def isolate_jobs(
    work: Callable[[Sequence[UUID] | None], R], jobs: Callable[[], Sequence[UUID]], blame: Callable[[UUID, str], None]
) -> list[R]:
    """Do the work for all jobs (None); where that fails, do it for these by halves."""
    if watchdog.is_suspected() and (suspects := jobs()):
        return isolate(suspects, work, blame)
    try:
        return [work(None)]
    except Exception as error:
        raise_if_blameless(error)
        log.exception("a step failed; looking for the job that breaks it")
    found = jobs()
    return isolate(found, work, blame) if found else []


def raise_if_blameless(error: Exception) -> None:
    """Raise an error again for which no job is to blame: it ends the turn, and the next one tries again."""
    if isinstance(error, LeaseLost) or rows.is_transient(error):
        raise error


def hold(job: UUID, reason: str) -> None:
    """Leave a job alone until somebody cancels or releases it."""
    rows.execute("UPDATE jobs_job SET held_reason = %s WHERE id = %s", [reason, job])
    events.record([Told("job_held", f"The job is held: {reason}", job)])
