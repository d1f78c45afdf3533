"""Keep timeouts right when the database's clock is set: this leader counts how long nodes are silent and retries wait."""

from datetime import datetime

import structlog
from django.db import transaction

from database import rows
from nodes import events
from switchyard.leader.ports import Clock
from switchyard.scheduling.lifecycle.events import Told

log = structlog.get_logger()
#: Seconds by which two clocks may drift apart between two looks without being set.
DRIFT = 2.0
#: The kind of the event that says so: times of before and after cannot be compared.
CLOCK_SET = "clock_set"


class DatabaseClock:
    """Compares the database's clock with this process's own, and moves the times that are waited for along with it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: tuple[datetime, float] | None = None

    def follow(self) -> None:
        """Look by how much the database's clock was set since the last look."""
        before = self._clock.monotonic()
        ((now,),) = rows.fetch("SELECT clock_timestamp()")
        took = self._clock.monotonic() - before
        last, self._last = self._last, (now, before)
        step = (now - last[0]).total_seconds() - (before - last[1]) if last else 0.0
        if abs(step) > DRIFT + took:
            log.warning("the database's clock was set", seconds=step)
            _move(round(step, 3))


@transaction.atomic
def _move(step: float) -> None:
    by = "%s * interval '1 second'"
    rows.execute(f"UPDATE nodes_node SET heard_at = heard_at + {by} WHERE session <> ''", [step])
    rows.execute(
        f"UPDATE jobs_task t SET not_before = not_before + {by} FROM jobs_stage s "
        "WHERE s.ended_at IS NULL AND s.next_due IS NOT NULL AND t.stage_id = s.id AND t.index <@ s.delayed",
        [step],
    )
    rows.execute(f"UPDATE jobs_stage SET next_due = next_due + {by} WHERE ended_at IS NULL AND next_due IS NOT NULL", [step])
    way = "back" if step < 0 else "forward"
    events.record([Told(CLOCK_SET, f"The database's clock was set {way} by {abs(step):,.1f} s.")])
