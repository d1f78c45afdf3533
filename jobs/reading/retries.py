"""Retries of jobs: what a job is a retry of, its own retries, and where a result that stands in a retry was made."""

from typing import Any
from uuid import UUID

from database import rows
from jobs.store.reuse import read_origins
from switchyard.scheduling.lifecycle.states import JobState

#: Retries that are named with a job, the last ones.
MOST = 50
_LINKS = """SELECT true, o.id, o.number, o.state FROM jobs_job j JOIN jobs_job o ON o.id = j.retried_from_id WHERE j.id = %s
    UNION ALL (SELECT false, r.id, r.number, r.state FROM jobs_job r WHERE r.retried_from_id = %s
        ORDER BY r.number DESC LIMIT %s)"""


def links(job: UUID) -> dict[str, Any]:
    """Return the number of the job that one is a retry of, if it is, and its own retries, the last first."""
    return ask_links(job)()


def ask_links(job: UUID) -> rows.Answer[dict[str, Any]]:
    """Ask for the links of a job."""
    asked = rows.execute(_LINKS, [job, job, MOST])

    def answer() -> dict[str, Any]:
        found = asked.fetchall()
        return {
            "retried_from_number": next((number for is_older, _, number, _ in found if is_older), None),
            "retries": [
                {"id": id_, "number": number, "state": JobState(state).name}
                for is_older, id_, number, state in found
                if not is_older
            ],
        }

    return answer


def origin(stage: int, index: int) -> dict[str, Any] | None:
    """Return which attempt of which job made the result of a task that stands from an earlier job; None if it does not.

    The attempt is None once that job is deleted.
    """
    found = rows.fetch("SELECT name, origins::text FROM jobs_stage WHERE id = %s AND reused @> %s::int", [stage, index])
    for name, text in found:
        for job, source, tasks in read_origins(text):
            if index in tasks:
                attempts = rows.fetch("SELECT attempt FROM jobs_task WHERE stage_id = %s AND index = %s", [source, index])
                attempt = attempts[0][0] if attempts else None
                return {"job": job, "stage": name, "index": index, "attempt": attempt}
    return None
