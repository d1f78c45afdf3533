"""Names of the conditions of nodes that the server sets."""

from collections.abc import Mapping

from database import rows

#: The agent is heard over HTTP alone.
BROKER_AWAY = "broker_away"
#: The token that began the agent's session is not valid any more (nodes.trust).
UNTRUSTED = "untrusted"
#: The agent does not confirm what it is sent (jobs.leader.deafness).
DEAF = "deaf"
#: The agent does not have what stands on its list, or has more.
DIFFERS = "differs"
#: The agent has nothing to do, and its room is not whole.
ROOM = "room"
#: The agent gave workers up that did not begin what they were handed.
STUCK = "stuck"
#: The agent's loop does not turn.
STALLED = "stalled"
#: The machine keeps the agent from running tasks, such as by a full disk.
UNFIT = "unfit"
#: Agents on one machine offer together more than it has.
OVERSOLD = "oversold"
#: What heartbeats say, each time anew.
HEARD = (DIFFERS, ROOM, STUCK, STALLED, UNFIT)

TITLES = {
    DIFFERS: "The agent's tasks are not those on its list",
    ROOM: "The agent's room is not whole although it has nothing to do",
    STUCK: "Workers did not begin what they were handed",
    STALLED: "The agent does not get on",
    UNFIT: "The agent cannot run tasks",
}


#: Characters that a description may have.
LONGEST = 500


def note(found: Mapping[int, Mapping[str, str]]) -> None:
    """Set which of HEARD stand on these nodes, each given by its name with a description."""
    wanted = [(node, name, TITLES[name], text[:LONGEST]) for node, texts in found.items() for name, text in texts.items()]
    columns = rows.columns(wanted, 4)
    rows.execute(
        """DELETE FROM nodes_condition c WHERE c.node_id = ANY(%s) AND c.name = ANY(%s) AND NOT EXISTS (
            SELECT FROM unnest(%s::bigint[], %s::text[]) AS w(node_id, name)
            WHERE w.node_id = c.node_id AND w.name = c.name)""",
        [list(found), list(HEARD), *columns[:2]],
    )
    if wanted:
        rows.execute(
            """INSERT INTO nodes_condition (node_id, kind, name, title, description, started_at, updated_at)
            SELECT w.node_id, 'error', w.name, w.title, w.description, now(), now()
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS w(node_id, name, title, description)
            JOIN nodes_node n ON n.id = w.node_id
            ON CONFLICT (node_id, name) DO UPDATE SET description = excluded.description, updated_at = excluded.updated_at""",
            columns,
        )
