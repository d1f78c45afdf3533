"""What is waited for, moved along with the database's clock when that is set."""

import structlog
from django.db import transaction

from database import rows
from nodes import events
from switchyard.scheduling.lifecycle.events import Told

log = structlog.get_logger()
#: The kind of the event that says so: times of before and after cannot be compared.
CLOCK_SET = "clock_set"


def read() -> float:
    """Return the database's time, in seconds since the epoch."""
    ((now,),) = rows.fetch("SELECT extract(epoch FROM clock_timestamp())::float8")
    return float(now)


@transaction.atomic
def move(step: float) -> None:
    """Move what is waited for along with the clock, which was set by so many seconds."""
    log.warning("the database's clock was set", seconds=step)
    by = "%s * interval '1 second'"
    rows.execute(f"UPDATE nodes_node SET heard_at = heard_at + {by} WHERE session <> ''", [step])
    rows.execute(
        f"UPDATE jobs_task t SET not_before = not_before + {by} FROM jobs_stage s "
        "WHERE s.ended_at IS NULL AND s.next_due IS NOT NULL AND t.stage_id = s.id AND t.index <@ s.delayed",
        [step],
    )
    rows.execute(f"UPDATE jobs_stage SET next_due = next_due + {by} WHERE ended_at IS NULL AND next_due IS NOT NULL", [step])
    rows.execute(f"UPDATE jobs_operation SET deadline = deadline + {by} WHERE ended_at IS NULL", [step])
    # Not beyond now: what began since the clock was set is right as it is.
    moved = f"least(triggered_at + {by}, clock_timestamp())"
    rows.execute(f"UPDATE jobs_checkpoint SET triggered_at = {moved} WHERE ended_at IS NULL", [step])
    way = "back" if step < 0 else "forward"
    events.record([Told(CLOCK_SET, f"The database's clock was set {way} by {abs(step):,.1f} s.")])
