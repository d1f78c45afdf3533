"""Delete expired data every hour, without blocking the leader's loop.

Rows go a bounded batch at a time, one for each tick; files, which may take long, in a thread of its own.
"""

import threading
from datetime import datetime, timedelta

import structlog
from django.db import connection

from jobs.leader.bisect import raise_if_blameless
from jobs.upkeep import retention

log = structlog.get_logger()
EVERY = timedelta(hours=1)
#: A leader first takes over what waits for it, and then cleans up.
FIRST = timedelta(minutes=1)


class Upkeep:
    """Remembers when deleting is due next. Losing that costs an hour at the most."""

    def __init__(self, now: datetime) -> None:
        self._due = now + FIRST
        self._expiring = False
        self._sweeping: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Say whether there is something left to delete."""
        return self._expiring or bool(self._sweeping and self._sweeping.is_alive())

    def step(self, now: datetime) -> None:
        """Delete one batch of rows if it is time; once none are left, begin with the files."""
        if now >= self._due:
            self._expiring, self._due = True, now + EVERY
        if self._expiring and not _expire(now):
            self._expiring = False
            self._begin_sweeping(now)

    def _begin_sweeping(self, now: datetime) -> None:
        if not (self._sweeping and self._sweeping.is_alive()):
            self._sweeping = threading.Thread(target=_sweep, args=(now,), name="sweep", daemon=True)
            self._sweeping.start()


def _expire(now: datetime) -> bool:
    """Delete a batch; say whether there may be more. What cannot be deleted must not keep the loop from its work."""
    try:
        return bool(retention.expire(now))
    except Exception as error:
        raise_if_blameless(error)
        log.exception("not expired")
        return False


def _sweep(now: datetime) -> None:
    try:
        log.info("swept", files=retention.sweep(now))
    except Exception:
        log.exception("not swept")
    finally:
        connection.close()
