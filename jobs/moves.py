"""Moves: what a statement did to tasks, as sets of indexes by node, stage, and state before and after."""

from dataclasses import dataclass
from typing import Any

from scheduling.indexes import IndexSet
from scheduling.lifecycle import TaskState

#: What makes a report count: it is of the task's current attempt, on the node that has it. Without it an older attempt
#: could end a newer one.
ATTEMPT_GUARD = "t.attempt = told.attempt AND t.node_id = told.node_id"


@dataclass(frozen=True, slots=True)
class Move:
    """Tasks of one stage that went from one state to another on one node."""

    node: int
    stage: int
    before: TaskState
    after: TaskState
    indexes: IndexSet

    @classmethod
    def read(cls, row: tuple[Any, ...]) -> "Move":
        """Make a Move of what `read_moves` selects."""
        node, stage, before, after, indexes = row
        return cls(node, stage, TaskState(before), TaskState(after), IndexSet.from_multirange(indexes))


def read_moves(source: str) -> str:
    """Return the SELECT that sums up rows (node_id, stage_id, before, after, index) of a statement."""
    return (
        "SELECT node_id, stage_id, before, after, range_agg(int4range(index, index + 1))::text "
        f"FROM {source} GROUP BY 1, 2, 3, 4"
    )
