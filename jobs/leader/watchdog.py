"""End a leader that makes no progress, with the stacks of its threads in the log. The supervisor restarts it.

While it hangs it keeps the lease, and the locks of its transaction, at which requests wait. What it was at is noted first, so
that the next leader does not do the same for ever (jobs.leader.hangs).
"""

import faulthandler
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence

import structlog

from jobs.leader.clock import CLOCK

log = structlog.get_logger()
#: Seconds within which one transaction of the leader ends. Its statements have less (database.rows). Heartbeats wait for the
#: locks of a leader that hangs: with NOTING, and the time between two heartbeats, this is less than an agent waits
#: (switchyard.agent.core.fencing).
LIMIT = 35.0
#: Seconds that noting may take: the database may be what hangs.
NOTING = 3.0
EXIT_STATUS = 70
Note = Callable[[str, Sequence[object]], None]


class _Place:
    """Where the leader is: the step, and what it works on as one. A process has one leader."""

    def __init__(self) -> None:
        self.got_on = CLOCK.monotonic()
        self.step = ""
        self.items: Sequence[object] = ()
        self.suspected: Collection[str] = ()


_place = _Place()


def get_on(step: str = "", items: Sequence[object] = ()) -> None:
    """Say that the leader has got on: to a step, or within the same one to these items."""
    _place.step = step or _place.step
    _place.items = items
    _place.got_on = CLOCK.monotonic()


def suspect(steps: Collection[str]) -> None:
    """Have the leader work on one item after the other at these steps, so that it is known which one it does not end with."""
    _place.suspected = steps


def is_suspected() -> bool:
    """Say whether a leader was ended at the step that this one is at."""
    return _place.step in _place.suspected


def start(note: Note, limit: float = LIMIT) -> None:
    """Watch from now on, until this process ends; `note` is told the step and its items before that."""
    get_on()
    threading.Thread(target=_watch, args=(note, limit), name="watchdog", daemon=True).start()


def _watch(note: Note, limit: float) -> None:
    while (passed := CLOCK.monotonic() - _place.got_on) < limit:
        time.sleep(min(1.0, limit - passed))
    log.critical("the leader does not get on: ending it", seconds=passed, step=_place.step)
    faulthandler.dump_traceback(all_threads=True)
    noting = threading.Thread(target=note, args=(_place.step, _place.items), daemon=True)
    noting.start()
    noting.join(NOTING)
    os._exit(EXIT_STATUS)
