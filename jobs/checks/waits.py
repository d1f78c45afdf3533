"""Find tasks that wait without a cause: `explain` gives no valid reason for them.

A round may just pass; so what is found counts when a second look some seconds later finds the same.
"""

import time
from uuid import UUID

from database import rows
from jobs.reading.explanations import explain_job
from switchyard.scheduling.explain import NOTHING
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, TaskState

#: Seconds between the looks: more than two rounds.
APART = 3.0
#: Jobs that are looked at one by one.
MOST = 100
_STARTABLE = ", ".join(str(int(state)) for state in sorted(JOB_STARTABLE))
_LIVE = f"j.ended_at IS NULL AND j.held_reason = '' AND j.state IN ({_STARTABLE}) AND s.ended_at IS NULL"
_CREATED = int(TaskState.CREATED)

#: Causes that do not hold: a query of which every row is a wait.
UNTRUE = {
    "it waits for stages, and all before it have ended": f"""
        SELECT j.number, s.name, s.open_needs FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
        WHERE {_LIVE} AND s.open_needs > 0 AND NOT EXISTS (
            SELECT 1 FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id
            WHERE e.consumer_id = s.id AND p.ended_at IS NULL)""",
    "it waits for the end of a backoff, which is over": f"""
        SELECT j.number, s.name, s.next_due FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
        WHERE {_LIVE} AND s.next_due < now() - interval '10 seconds'""",
    "it waits behind others on a node's list, and none of them runs": f"""
        SELECT j.number, s.name, n.name, a.waiting FROM jobs_assignment a JOIN jobs_stage s ON s.id = a.stage_id
        JOIN jobs_job j ON j.id = s.job_id JOIN nodes_node n ON n.id = a.node_id AND n.session = a.session
        CROSS JOIN nodes_scheduler c WHERE {_LIVE} AND a.waiting > 0 AND n.silent_since IS NULL AND n.active
            AND NOT (n.paused OR n.draining OR c.paused)
            AND NOT EXISTS (SELECT 1 FROM jobs_assignment o WHERE o.node_id = n.id AND NOT isempty(o.held))""",
}
#: Jobs with a stage of which nothing that is stored says why it waits, while somebody leads.
_OPEN = f"""
    SELECT DISTINCT j.id, j.number FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
    WHERE {_LIVE} AND s.counts[{_CREATED} + 1] > 0 AND s.open_needs = 0 AND s.refusal IS NULL AND s.next_due IS NULL
        AND EXISTS (SELECT 1 FROM jobs_lease WHERE expires_at > now()) ORDER BY j.number LIMIT {MOST}"""


def unexplained() -> list[str]:
    """Return what waits without a true cause, each as a sentence."""
    first = _look()
    if not first:
        return []
    time.sleep(APART)
    return sorted(first & _look())


def _look() -> set[str]:
    found = {f"{why}: {row}" for why, query in UNTRUE.items() for row in rows.fetch(query)}
    return found | {each for job, number in rows.fetch(_OPEN) for each in _without_reason(job, number)}


def _without_reason(job: UUID, number: int) -> set[str]:
    told = explain_job(job, now=rows.now()) or {"stages": []}
    return {
        f"nothing keeps it from running, and it is not placed: {(number, stage['stage'])}"
        for stage in told["stages"]
        if stage["reasons"] == [NOTHING]
    }
