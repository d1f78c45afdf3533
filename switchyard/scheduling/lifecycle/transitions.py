"""Moves: tasks of one stage that went from one state to another."""

from dataclasses import dataclass

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState, sources

#: States in which an agent may confirm that a task never started.
NOT_BEGUN = frozenset({TaskState.SCHEDULED, TaskState.RECONCILING, TaskState.CANCELING})
#: States in which a start may be reported.
STARTABLE = frozenset({TaskState.SCHEDULED})


@dataclass(frozen=True, slots=True)
class Move:
    """Tasks of one stage that went from one state to another; `node` is where they were or are now, 0 for nowhere."""

    node: int
    stage: int
    before: TaskState
    after: TaskState
    indexes: IndexSet


def live_before(after: TaskState) -> frozenset[TaskState]:
    """Return the states from which a task on a list may go to `after`."""
    return sources(after) - {TaskState.CREATED}
