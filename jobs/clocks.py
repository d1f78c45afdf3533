"""Clocks: nodes are silent for as long as this leader says, also when the database's clock is set meanwhile."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog

from database import rows

log = structlog.get_logger()
#: Seconds by which two clocks may drift apart between two looks without being set.
DRIFT = 2.0


class DatabaseClock:
    """Compares the database's clock with this process's own, and moves when nodes were heard along with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[datetime, float] | None = None

    def follow(self) -> None:
        """Look by how much the database's clock was set since the last look."""
        before = self._clock()
        ((now,),) = rows.fetch("SELECT clock_timestamp()")
        took = self._clock() - before
        last, self._last = self._last, (now, before)
        step = (now - last[0]).total_seconds() - (before - last[1]) if last else 0.0
        if abs(step) > DRIFT + took:
            log.warning("the database's clock was set", seconds=step)
            rows.execute(
                "UPDATE nodes_node SET heard_at = heard_at + %s * interval '1 second' WHERE session <> ''", [round(step, 3)]
            )
