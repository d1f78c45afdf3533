"""The invariants of ARCHITECTURE.md as queries: each returns violations. Used by tests, fault runs and `manage.py fsck`.

All are read in one snapshot, so that they hold at every commit, whoever works meanwhile.
"""

from dataclasses import dataclass

from django.db import connection, transaction

from database import rows
from jobs.checks.inputs import wrongly_handed
from jobs.leader.clocks import CLOCK_SET
from jobs.store.pointwise import overlaps
from switchyard.scheduling.lifecycle.states import JOB_ENDS, LISTED, TASK_ENDS, TASK_PLACES, Intent, JobState, TaskState


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, and where."""

    invariant: str
    what: str


#: Seconds within which a leader notices that the database's clock was set.
NOTICED = 5
_LISTED = ", ".join(str(int(state)) for state in sorted(LISTED))
_ENDED = ", ".join(str(int(state)) for state in sorted(TASK_ENDS))
_JOB_ENDED = ", ".join(str(int(state)) for state in sorted(JOB_ENDS))
_CANCELED = int(TaskState.CANCELED)
_STATES = ", ".join(f"count(t.index) FILTER (WHERE t.state = {place})::int" for place in range(TASK_PLACES))


def _set_back(ended: str, began: str) -> str:
    """Hold where the database's clock was set between an end and what began next: such times cannot be compared."""
    return (
        f"EXISTS (SELECT FROM nodes_event e WHERE e.kind = '{CLOCK_SET}' AND e.at < {ended} "
        f"AND e.at < {began} + interval '{NOTICED} seconds')"
    )


#: What each invariant forbids: a query of which every row is a violation.
FORBIDDEN = {
    "I2 a listed task stands on exactly one list": f"""
        SELECT t.stage_id, t.index, count(a.id) FROM jobs_task t
        LEFT JOIN jobs_assignment a ON a.stage_id = t.stage_id AND a.listed @> t.index
            AND a.node_id = t.node_id AND a.attempt = t.attempt
        WHERE t.state IN ({_LISTED}) GROUP BY 1, 2 HAVING count(a.id) <> 1""",
    "I2 a list holds only tasks that are listed": f"""
        SELECT a.stage_id, t.index, t.state FROM jobs_assignment a
        JOIN jobs_task t ON t.stage_id = a.stage_id AND a.listed @> t.index WHERE t.state NOT IN ({_LISTED})""",
    "I2 what is unplaced is CREATED, and the other way round": f"""
        SELECT t.stage_id, t.index, t.state FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id
        WHERE (t.state = {int(TaskState.CREATED)}) <> (s.unplaced @> t.index)""",
    "I3 a stage counts its tasks": f"""
        SELECT s.id, s.counts FROM jobs_stage s LEFT JOIN jobs_task t ON t.stage_id = s.id
        GROUP BY s.id HAVING s.counts <> ARRAY[{_STATES}]""",
    "I3 timestamps follow each other": """
        SELECT stage_id, index FROM jobs_task
        WHERE started_at < scheduled_at OR ended_at < started_at OR ended_at < scheduled_at""",
    "I3 what a state says of times is so": f"""
        SELECT stage_id, index, state FROM jobs_task
        WHERE (state IN ({_ENDED}) AND ended_at IS NULL) OR (state = {int(TaskState.RUNNING)} AND started_at IS NULL)""",
    "I3 attempt numbers grow, one record each": """
        SELECT a.stage_id, a.index, a.attempt, t.attempt FROM jobs_attempt a
        JOIN jobs_task t ON t.stage_id = a.stage_id AND t.index = a.index WHERE a.attempt >= t.attempt""",
    "I4 an attempt begins after the one before it has ended": f"""
        SELECT a.stage_id, a.index, a.attempt FROM jobs_attempt a
        JOIN jobs_task t ON t.stage_id = a.stage_id AND t.index = a.index AND t.attempt = a.attempt + 1
        WHERE a.started_at IS NOT NULL AND (a.ended_at IS NULL OR t.started_at < a.ended_at)
            AND NOT {_set_back("a.ended_at", "t.started_at")}
        UNION ALL SELECT a.stage_id, a.index, a.attempt FROM jobs_attempt a
        JOIN jobs_attempt n ON n.stage_id = a.stage_id AND n.index = a.index AND n.attempt = a.attempt + 1
        WHERE a.started_at IS NOT NULL AND (a.ended_at IS NULL OR n.started_at < a.ended_at)
            AND NOT {_set_back("a.ended_at", "n.started_at")}""",
    "I11 an epoch has one leader, and a later leader a later epoch": """
        SELECT t.at, t.epoch, t.before FROM (
            SELECT at, epoch, lag(epoch) OVER (ORDER BY id) AS before FROM (
                SELECT id, at, substring(text FROM 'in epoch ([0-9]+)')::bigint AS epoch
                FROM nodes_event WHERE kind = 'lease_taken') e) t
        WHERE t.epoch <= t.before UNION ALL SELECT l.taken_at, l.epoch, max(t.epoch) FROM jobs_lease l CROSS JOIN (
            SELECT substring(text FROM 'in epoch ([0-9]+)')::bigint AS epoch FROM nodes_event
            WHERE kind = 'lease_taken') t GROUP BY l.id HAVING l.epoch < max(t.epoch)""",
    "I10 nothing has begun since a pause has settled": f"""
        SELECT t.stage_id, t.index, n.name FROM nodes_node n JOIN jobs_assignment a ON a.node_id = n.id
        JOIN jobs_task t ON t.stage_id = a.stage_id AND a.started @> t.index AND t.state = {int(TaskState.RUNNING)}
        CROSS JOIN nodes_scheduler s WHERE (n.paused OR n.draining OR s.paused OR NOT n.active)
            AND n.confirmed_pause >= n.pause_epoch AND t.started_at > n.settled_at""",
    "I5 holds are within capacity": "SELECT node_id, name, held, capacity FROM nodes_noderesource WHERE held > capacity",
    "I6 what a node holds is the sum of its lists": """
        SELECT r.node_id, r.name, r.held, coalesce(sum(d.value::bigint * h.held), 0) FROM nodes_noderesource r
        LEFT JOIN jobs_assignment a ON a.node_id = r.node_id
        LEFT JOIN LATERAL (SELECT coalesce(sum(upper(x) - lower(x)), 0) AS held FROM unnest(a.held) AS x) h ON true
        LEFT JOIN LATERAL jsonb_each_text(a.demand) d ON d.key = r.name
        GROUP BY r.id HAVING r.held <> coalesce(sum(d.value::bigint * h.held), 0)""",
    "I6 holds and starts are of listed tasks": """
        SELECT id FROM jobs_assignment WHERE NOT held <@ listed OR NOT started <@ listed OR isempty(listed)""",
    "I6 an assignment counts what waits": """
        SELECT id, waiting FROM jobs_assignment WHERE waiting <>
            (SELECT coalesce(sum(upper(x) - lower(x)), 0) FROM unnest(listed) AS x)
            - (SELECT coalesce(sum(upper(x) - lower(x)), 0) FROM unnest(held) AS x)""",
    "I7 nothing has started before what it needs": f"""
        SELECT t.stage_id, t.index FROM jobs_task t JOIN jobs_edge e ON e.consumer_id = t.stage_id AND e.exchange = 'all'
        JOIN jobs_stage p ON p.id = e.producer_id
        WHERE t.started_at IS NOT NULL AND t.state <> {int(TaskState.CREATED)} AND p.ended_at IS NULL""",
    "I7 no more results wait to be taken than a buffer holds": f"""
        SELECT e.id, count(*) FROM jobs_edge e JOIN jobs_job j ON j.id = e.job_id AND j.retried_from_id IS NULL
        JOIN jobs_stage p ON p.id = e.producer_id JOIN jobs_stage c ON c.id = e.consumer_id
        JOIN jobs_task t ON t.stage_id = p.id AND t.state = {int(TaskState.FINISHED)}
        WHERE e.buffer IS NOT NULL AND EXISTS (
            SELECT 1 FROM jobs_task x WHERE x.stage_id = c.id
                AND x.attempt = 0 AND x.started_at IS NULL AND x.ended_at IS NULL
                AND {overlaps("t.index", "p.parallelism", "x.index", "c.parallelism")})
        GROUP BY e.id HAVING count(*) > e.buffer""",
    "I9 no member of a gang runs on while another waits": """
        SELECT DISTINCT s.id FROM jobs_stage s JOIN jobs_assignment a ON a.stage_id = s.id AND NOT a.recalled
        WHERE s.spec ->> 'gang' = 'true' AND NOT isempty(s.unplaced)""",
    "I8 of a job that finished only what a drain kept from beginning was canceled, and members of gangs": f"""
        SELECT j.id, t.stage_id, t.index FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id
        JOIN jobs_task t ON s.counts[{_CANCELED} + 1] > 0 AND t.stage_id = s.id AND t.state = {_CANCELED}
        WHERE j.state = {int(JobState.FINISHED)} AND s.spec ->> 'gang' IS DISTINCT FROM 'true'
            AND (j.intent <> {int(Intent.DRAIN)} OR t.started_at IS NOT NULL)""",
    "I17 nothing of a suspended job stands on a list": f"""
        SELECT j.id, a.node_id FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id
        JOIN jobs_assignment a ON a.stage_id = s.id WHERE j.state = {int(JobState.SUSPENDED)}""",
    "I8 a job has ended exactly when its stages have": f"""
        SELECT j.id, j.state, j.stages_total, count(s.id) FROM jobs_job j
        LEFT JOIN jobs_stage s ON s.job_id = j.id AND s.ended_at IS NOT NULL
        GROUP BY j.id HAVING (j.state IN ({_JOB_ENDED})) <> (count(s.id) = j.stages_total)
            OR (j.ended_at IS NOT NULL) <> (j.state IN ({_JOB_ENDED})) OR j.stages_ended <> count(s.id)""",
    "I8 a stage has ended exactly when its tasks have": f"""
        SELECT s.id FROM jobs_stage s LEFT JOIN jobs_task t ON t.stage_id = s.id AND t.state NOT IN ({_ENDED})
        WHERE s.ended_at IS NOT NULL GROUP BY s.id HAVING count(t.index) > 0""",
}


def violations() -> list[Violation]:
    """Return every violation of an invariant that the database itself does not rule out."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        broken = [Violation(name, str(row)) for name, query in FORBIDDEN.items() for row in rows.fetch(query)]
        handed = "I7 a task was handed what the tasks before it gave"
        return broken + [Violation(handed, str(task)) for task in wrongly_handed()]
