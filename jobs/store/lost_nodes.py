"""Queries and writes for silent or lost nodes and their tasks."""

from collections.abc import Collection, Sequence
from uuid import UUID

from database import rows
from jobs.store.transitions import RANGE, move
from nodes import oversold
from nodes.conditions import BROKER_AWAY, DEAF, HEARD
from nodes.trust import TRUSTED
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Lost, Patience, Sign
from switchyard.scheduling.lifecycle.states import LISTED, TaskState
from switchyard.scheduling.lifecycle.transitions import Move

#: What agents say that have gone for good, with nothing left to tell, or whose session was ended (nodes.departure): all of
#: their processes have ended, so that what they had may run elsewhere at once. Of others that is known after LOST alone.
LEFT = """figures @> '{"left": true}'"""


def signs() -> list[Sign]:
    """Return the signs of life of the nodes that have a session, by the database's clock."""
    found = rows.fetch(
        f"""SELECT id, session, coalesce(extract(epoch FROM now() - heard_at)::float8, 'infinity'),
            silent_since IS NOT NULL, {TRUSTED}, {LEFT} FROM nodes_node n WHERE session <> '' ORDER BY id"""
    )
    return [Sign(*row) for row in found]


def patience(nodes: Collection[int]) -> list[Patience]:
    """Return the stages of the sessions of nodes."""
    found = rows.fetch(
        """SELECT n.id, a.stage_id, (j.spec ->> 'disconnect_grace')::float8
        FROM nodes_node n JOIN jobs_assignment a ON a.node_id = n.id AND a.session = n.session
        JOIN jobs_stage s ON s.id = a.stage_id JOIN jobs_job j ON j.id = s.job_id WHERE n.id = ANY(%s)""",
        [list(nodes)],
    )
    return [Patience(*row) for row in found]


def nodes_outlived() -> list[int]:
    """Return the nodes on whose lists entries stand from older sessions; entries of jobs that are held do not count."""
    found = rows.fetch(
        "SELECT DISTINCT a.node_id FROM jobs_assignment a JOIN nodes_node n ON n.id = a.node_id "
        "JOIN jobs_stage s ON s.id = a.stage_id JOIN jobs_job j ON j.id = s.job_id "
        "WHERE a.session <> n.session AND j.held_reason = '' ORDER BY 1"
    )
    return [node for (node,) in found]


def on_list(node: int) -> list[tuple[int, UUID]]:
    """Return the stages on a node's list, each with its job, but for those of jobs that are held."""
    return rows.fetch(
        "SELECT DISTINCT s.id, s.job_id FROM jobs_assignment a JOIN jobs_stage s ON s.id = a.stage_id "
        "JOIN jobs_job j ON j.id = s.job_id WHERE a.node_id = %s AND j.held_reason = ''",
        [node],
    )


def due(jobs: Collection[UUID] | None) -> list[tuple[int, UUID]]:
    """Return stages with tasks whose backoff may be over, and their jobs; of these jobs alone, if any are given."""
    return rows.fetch(
        "SELECT s.id, s.job_id FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE s.ended_at IS NULL "
        "AND s.next_due <= now() AND j.held_reason = '' AND (%s OR s.job_id = ANY(%s)) ORDER BY s.id LIMIT 1000",
        [jobs is None, list(jobs or ())],
    )


def not_before(stage: int, indexes: IndexSet) -> list[tuple[int, float]]:
    """Return until when tasks wait, as (index, seconds since the epoch)."""
    return rows.fetch(
        "SELECT index, extract(epoch FROM not_before)::float8 FROM jobs_task WHERE stage_id = %s AND index = ANY(%s) "
        "AND not_before IS NOT NULL",
        [stage, list(indexes)],
    )


def end_session(node: int) -> None:
    """Leave a node without a session."""
    rows.execute("UPDATE nodes_node SET session = '', deaf_since = NULL WHERE id = %s", [node])
    names = [BROKER_AWAY, DEAF, *HEARD]
    rows.execute("DELETE FROM nodes_condition WHERE name = ANY(%s) AND node_id = %s", [names, node])
    oversold.note_left(node)


def lose(lost: Sequence[Lost]) -> list[Move]:
    """End the attempts of listed tasks as lost with their nodes: they may have begun, so that their numbers are spent."""
    names = ("nodes", "stages", "lows", "highs", "losses", "afters")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[], %(losses)s::int[], "
        "%(afters)s::smallint[]) AS told(node_id, stage_id, low, high, losses, after)",
        f"{RANGE} AND o.node_id = told.node_id",
        """losses = t.losses + found.losses, exit_class = 'lost', error = 'the node was lost',
            ended_at = greatest(t.started_at, t.scheduled_at, now()), not_before = NULL, state = found.after""",
        LISTED,
        dict(zip(names, rows.columns(((*each[:-1], int(each.after)) for each in lost), 6), strict=True)),
    )


def reconcile(node: int, stage: int, indexes: IndexSet, before: TaskState, after: TaskState) -> list[Move]:
    """Move tasks on a node from one state to another, as the node is silent or heard again."""
    lows, highs = rows.columns(indexes.ranges, 2)
    return move(
        "unnest(%(lows)s::int[], %(highs)s::int[]) AS told(low, high)",
        "o.stage_id = %(stage)s AND o.index >= told.low AND o.index < told.high AND o.node_id = %(node)s",
        "state = %(after)s",
        frozenset({before}),
        {"lows": lows, "highs": highs, "stage": stage, "node": node, "after": int(after)},
    )


def write_silent(nodes: Collection[int], *, silent: bool) -> None:
    """Write since when nodes are silent, or that they are not."""
    rows.execute(
        "UPDATE nodes_node SET silent_since = CASE WHEN %s THEN coalesce(silent_since, now()) END WHERE id = ANY(%s)",
        [silent, list(nodes)],
    )
