"""The lists of nodes, read from their rows."""

from collections.abc import Collection
from typing import Any

from database import rows
from jobs.store.tables import ASSIGNMENT_COLUMNS, read_assignment
from nodes import selectors
from switchyard.scheduling.lifecycle.rows import AssignmentRow


class StoredLists:
    """The lists as PostgreSQL has them."""

    def all(self) -> list[AssignmentRow]:
        """Return all lists."""
        return _read("true")

    def some(self, ids: Collection[int]) -> list[AssignmentRow]:
        """Return the assignments with these ids, as far as there are any."""
        return _read("id = ANY(%s)", list(ids))

    def of(self, nodes: Collection[int]) -> list[AssignmentRow]:
        """Return what stands on the lists of these nodes, of whichever session."""
        return _read("node_id = ANY(%s)", list(nodes))

    def last_reports(self, nodes: Collection[int]) -> dict[int, int]:
        """Return the number of the last report of each node that was applied."""
        return selectors.last_reports(list(nodes))

    def resumed(self, sessions: Collection[str]) -> list[AssignmentRow]:
        """Return the lists of those of these sessions that have gone on from others."""
        resumed = "SELECT n.session FROM nodes_node n WHERE n.session = ANY(%s) AND n.predecessor <> ''"
        return _read(f"session IN ({resumed})", list(sessions))


def _read(condition: str, *values: Any) -> list[AssignmentRow]:
    statement = f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE {condition} ORDER BY node_id, entry"
    return [read_assignment(row) for row in rows.fetch(statement, values)]
