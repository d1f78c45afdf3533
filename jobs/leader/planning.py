"""End the operations whose functions were called, beside the leader's loop: a large job takes its time to be stored.

What was begun by a leader that is none any more does no harm: each operation ends once (jobs.commands.planning).
"""

import threading

import structlog
from django.db import connection

from jobs.commands import planning

log = structlog.get_logger()


class Planner:
    """Has one thread, while there is something to end."""

    def __init__(self) -> None:
        self._working: threading.Thread | None = None

    def step(self) -> None:
        """Begin with what is to be ended."""
        if not (self._working and self._working.is_alive()) and planning.due():
            self._working = threading.Thread(target=_work, name="plans", daemon=True)
            self._working.start()

    def wait(self) -> None:
        """Wait for what was begun."""
        if self._working:
            self._working.join()


def _work() -> None:
    try:
        for id_ in planning.due():
            planning.finish(id_)
    except Exception:
        log.exception("operations of programs are not ended; trying again")
    finally:
        connection.close()
