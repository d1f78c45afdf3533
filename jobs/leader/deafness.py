"""Deaf nodes: they send heartbeats and confirm no commands. They are not READY, and get no more tasks."""

from collections.abc import Collection

from django.db import transaction

from database import rows
from jobs.store import held_lease
from nodes import events
from nodes.conditions import DEAF
from switchyard.scheduling.lifecycle.events import Told

_TITLE = "The agent takes no commands"
_TEXT = "What it is to start stays unconfirmed although Redis takes it. Look at the agent's log, or start it again."


def note(deaf: Collection[str], waiting: Collection[str], *, epoch: int) -> bool:
    """Mark the nodes of deaf sessions, and unmark those that have nothing to confirm; say whether some are marked."""
    with transaction.atomic():
        held_lease.check(epoch)
        begun = _ids(
            "UPDATE nodes_node SET deaf_since = now() WHERE session = ANY(%s) AND deaf_since IS NULL RETURNING id", deaf
        )
        over = _ids(
            "UPDATE nodes_node SET deaf_since = NULL WHERE NOT session = ANY(%s) AND deaf_since IS NOT NULL RETURNING id",
            waiting,
        )
        rows.execute("DELETE FROM nodes_condition WHERE name = %s AND node_id = ANY(%s)", [DEAF, over])
        rows.execute(
            """INSERT INTO nodes_condition (node_id, kind, name, title, description, started_at, updated_at)
            SELECT id, 'error', %s, %s, %s, deaf_since, now() FROM nodes_node WHERE deaf_since IS NOT NULL
            ON CONFLICT (node_id, name) DO UPDATE SET updated_at = excluded.updated_at""",
            [DEAF, _TITLE, _TEXT],
        )
        events.record(Told("node_deaf", "The agent takes no commands.", node=node) for node in begun)
        events.record(Told("node_takes", "The agent takes commands again.", node=node) for node in over)
        return bool(rows.fetch("SELECT 1 FROM nodes_node WHERE deaf_since IS NOT NULL LIMIT 1"))


def _ids(statement: str, sessions: Collection[str]) -> list[int]:
    return [id_ for (id_,) in rows.fetch(statement, [list(sessions)])]
