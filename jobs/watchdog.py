"""Watchdog: ends a leader that does not get on, with what its threads do in the log. The supervisor starts it again.

While it hangs it keeps the lease, and the locks of its transaction, at which requests wait.
"""

import faulthandler
import os
import threading
import time

import structlog

log = structlog.get_logger()
#: Seconds within which one transaction of the leader ends: its statements have less.
LIMIT = 90.0
EXIT_STATUS = 70
_got_on = time.monotonic()


def get_on() -> None:
    """Say that the leader has got on."""
    global _got_on  # noqa: PLW0603 - a process has one leader
    _got_on = time.monotonic()


def start(limit: float = LIMIT) -> None:
    """Watch from now on, until this process ends."""
    get_on()
    threading.Thread(target=_watch, args=(limit,), name="watchdog", daemon=True).start()


def _watch(limit: float) -> None:
    while (passed := time.monotonic() - _got_on) < limit:
        time.sleep(min(1.0, limit - passed))
    log.critical("the leader does not get on: ending it", seconds=passed)
    faulthandler.dump_traceback(all_threads=True)
    os._exit(EXIT_STATUS)
