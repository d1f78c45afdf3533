"""The lists of nodes, read from their rows."""

from collections.abc import Collection
from typing import Any

from database import rows
from jobs.store.tables import ASSIGNMENT_COLUMNS, read_assignment
from switchyard.scheduling.lifecycle.rows import AssignmentRow


class StoredLists:
    """The lists as PostgreSQL has them."""

    def all(self) -> list[AssignmentRow]:
        """Return all lists."""
        return _read("true")

    def some(self, ids: Collection[int]) -> list[AssignmentRow]:
        """Return the assignments with these ids, as far as there are any."""
        return _read("id = ANY(%s)", list(ids))

    def resumed(self, sessions: Collection[str]) -> list[AssignmentRow]:
        """Return the lists of those of these sessions that have gone on from others."""
        resumed = "SELECT n.session FROM nodes_node n WHERE n.session = ANY(%s) AND n.predecessor <> ''"
        return _read(f"session IN ({resumed})", list(sessions))


def _read(condition: str, *values: Any) -> list[AssignmentRow]:
    statement = f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE {condition} ORDER BY node_id, entry"
    return [read_assignment(row) for row in rows.fetch(statement, values)]
