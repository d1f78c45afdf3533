"""Compare the audit with the stored changes of people: each has exactly one row (I13)."""

from database import rows

_BY_PEOPLE = {
    "job_canceling": ("job.cancel",),
    "job_released": ("job.release", "job.cancel"),
    "job_draining": ("job.drain",),
    "job_suspending": ("job.suspend",),
    "job_resumed": ("job.resume",),
}
#: What is of one transaction is of one moment.
_OF_EVENTS = """
    SELECT e.kind, e.at, count(*) FROM nodes_event e WHERE e.kind = %(kind)s GROUP BY e.kind, e.at
    HAVING count(*) <> (SELECT count(*) FROM access_auditentry a WHERE a.at = e.at AND a.action = ANY(%(actions)s))"""
_SUBMITTED = """
    SELECT 'a job', j.created_at, j.owner_id, count(*) FROM jobs_job j WHERE j.owner_id IS NOT NULL
    GROUP BY j.created_at, j.owner_id HAVING count(*) <> (
        SELECT count(*) FROM access_auditentry a
        WHERE a.at = j.created_at AND a.user_id = j.owner_id AND a.action IN ('job.submit', 'job.retry'))"""
#: The history is written by the clock of the web's machine.
_REMEMBERED = """
    SELECT 'a node', h.name, h.history_date FROM nodes_historicalnode h WHERE h.history_user_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM access_auditentry a WHERE a.user_id = h.history_user_id AND a.action LIKE 'node.%%'
            AND a.target = h.name
            AND a.at BETWEEN h.history_date - interval '1 minute' AND h.history_date + interval '1 minute')
    UNION ALL SELECT 'the scheduler', '', h.history_date FROM nodes_historicalscheduler h
    WHERE h.history_user_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM access_auditentry a WHERE a.user_id = h.history_user_id AND a.action LIKE 'scheduler.%%'
            AND a.at BETWEEN h.history_date - interval '1 minute' AND h.history_date + interval '1 minute')"""


def unaudited() -> list[str]:
    """Return each change by people that has no audit row, or more than one."""
    found = [
        row
        for kind, actions in _BY_PEOPLE.items()
        for row in rows.fetch(_OF_EVENTS, {"kind": kind, "actions": list(actions)})
    ]
    return [str(row) for row in [*found, *rows.fetch(_SUBMITTED), *rows.fetch(_REMEMBERED, {})]]
