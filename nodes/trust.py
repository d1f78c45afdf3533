"""Trusted nodes. A deactivated node, or one without a valid token, counts as silent, whatever it sends.

So is one whose session is refused, as the server does not know all that was said in it: its agent ends what runs, and begins
a new session.
"""

from collections.abc import Iterable

from database import rows
from nodes import events
from nodes.conditions import UNTRUSTED
from switchyard.scheduling.lifecycle.events import Told

#: Holds for the nodes `n` that are active, and whose session was begun with a token that is still valid.
VALID_TOKEN = """(n.token IS NULL OR EXISTS (
    SELECT FROM access_token t WHERE t.id = n.token AND (t.expires_at IS NULL OR t.expires_at > now())))"""
TRUSTED = f"(n.active AND NOT n.refused AND {VALID_TOKEN})"

_TITLE = "The node's token is not valid any more"
_TEXT = "Its agent is not heard, and what it runs is placed elsewhere. Give it a valid token and start it again."


def refuse(nodes: Iterable[int] | None, why: str) -> None:
    """Have the agents of these nodes (None: of all) end what runs and begin new sessions."""
    asked = rows.fetch(
        "UPDATE nodes_node SET refused = true WHERE session <> '' AND NOT refused AND (%s OR id = ANY(%s)) RETURNING id",
        [nodes is None, list(nodes or ())],
    )
    events.record(Told("node_refused", f"The agent is to begin a new session: {why}", node=id_) for (id_,) in asked)


def note_untrusted() -> None:
    """Set the condition of the nodes whose token was revoked or has expired."""
    rows.execute(
        f"""DELETE FROM nodes_condition c USING nodes_node n
        WHERE c.name = %s AND n.id = c.node_id AND (n.session = '' OR {VALID_TOKEN})""",
        [UNTRUSTED],
    )
    rows.execute(
        f"""INSERT INTO nodes_condition (node_id, kind, name, title, description, started_at, updated_at)
        SELECT n.id, 'error', %s, %s, %s, now(), now() FROM nodes_node n WHERE n.session <> '' AND NOT {VALID_TOKEN}
        ON CONFLICT (node_id, name) DO UPDATE SET updated_at = excluded.updated_at""",
        [UNTRUSTED, _TITLE, _TEXT],
    )
