"""The survey: every few seconds the leader writes one row of figures and rates.

Readers recognize a slow or absent scheduler by its age. States are not in it: they are read when they are shown.
"""

import json
import logging
from typing import Any

from django.db import transaction

from database import rows
from jobs.leader.clock import CLOCK
from jobs.store import held_lease
from jobs.telemetry.outcomes import OF_BLOCK, Tally
from nodes.reading import scheduler
from switchyard.leader.ports import Clock

EVERY = 5.0
#: Seconds for which ends are counted; whole blocks, so that it is up to one block more.
WINDOW = 3 * 3600


class Surveyor:
    """Remembers when the last survey was made, and from which level on this process logs."""

    def __init__(self, clock: Clock = CLOCK, level: str = "INFO") -> None:
        self._clock = clock
        self._surveyed = clock.monotonic()
        self._due = 0.0
        self._level = level

    def step(self, tally: Tally, *, epoch: int) -> None:
        """Write what was tallied, and make a survey if it is time."""
        now = self._clock.monotonic()
        with transaction.atomic():
            tally.write()
            if now >= self._due:
                self._due = now + EVERY
                held_lease.check(epoch)
                self._survey(tally, max(now - self._surveyed, 0.001))
                self._surveyed = now

    def _survey(self, tally: Tally, seconds: float) -> None:
        counted = tally.take() | _jobs(seconds)
        rows.execute(f"DELETE FROM jobs_ended WHERE block < {OF_BLOCK}", [WINDOW])
        ended = rows.fetch("SELECT node_id, job_type_id, outcome, sum(count)::bigint FROM jobs_ended GROUP BY 1, 2, 3")
        document: dict[str, Any] = {
            "rates": {name: count / seconds for name, count in counted.items()},
            "ended": [list(row) for row in ended],
            "cleaned": list(tally.take_cleaned().items()),
        }
        rows.execute(
            """INSERT INTO jobs_survey (id, at, document) VALUES (1, clock_timestamp(), %s::jsonb)
            ON CONFLICT (id) DO UPDATE SET at = excluded.at, document = excluded.document""",
            [json.dumps(document)],
        )
        self._set_level(scheduler()["log_level"])

    def _set_level(self, level: str) -> None:
        if level != self._level:
            logging.getLogger().setLevel(level)
            self._level = level


def _jobs(seconds: float) -> dict[str, int]:
    """Count the jobs that started and ended lately."""
    ((launched, finished),) = rows.fetch(
        """SELECT (SELECT count(*) FROM jobs_job WHERE started_at > since AND (ended_at IS NULL OR ended_at > since)),
            (SELECT count(*) FROM jobs_job WHERE ended_at > since)
        FROM (SELECT now() - %s * interval '1 second' AS since) AS lately""",
        [seconds],
    )
    return {"jobs_launched": launched, "jobs_finished": finished}
