"""Scale's words for our states, in total tables: a missing state fails the tests. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from switchyard.scheduling.lifecycle.states import TaskState


class Word(NamedTuple):
    """A state as Scale tells it; programs read the name, people the rest."""

    name: str
    title: str
    description: str

    @property
    def told(self) -> dict[str, str]:
        return self._asdict()


class State(StrEnum):
    """What a node can be; of Scale's eight, two are for none of ours, which neither clean up first nor pull an image."""

    DEPRECATED = "DEPRECATED"
    OFFLINE = "OFFLINE"
    PAUSED = "PAUSED"
    SCHEDULER_STOPPED = "SCHEDULER_STOPPED"
    DEGRADED = "DEGRADED"
    READY = "READY"


WORDS = {
    State.DEPRECATED: Word("DEPRECATED", "Deprecated", "Node is deprecated and takes no new jobs."),
    State.OFFLINE: Word("OFFLINE", "Offline", "Node is offline and nothing can run on it."),
    State.PAUSED: Word("PAUSED", "Paused", "Node takes no new jobs, those that run go on."),
    State.SCHEDULER_STOPPED: Word(
        "SCHEDULER_STOPPED", "Scheduler Stopped", "Scheduler is paused, no new jobs start on the node."
    ),
    State.DEGRADED: Word("DEGRADED", "Degraded", "Node has an error and takes no new jobs, those that run go on."),
    State.READY: Word("READY", "Ready", "Node is ready to run new jobs."),
}

#: Of a node by its own state; one that is READY may be kept from work by something else (`of_node`).
NODES = {
    "INACTIVE": State.DEPRECATED,
    "GONE": State.OFFLINE,
    "SILENT": State.OFFLINE,
    "DEAF": State.DEGRADED,
    "LEAVING": State.PAUSED,
    "DRAINING": State.PAUSED,
    "DRAINED": State.PAUSED,
    "PAUSING": State.PAUSED,
    "PAUSED": State.PAUSED,
    "READY": State.READY,
}

SCHEDULER = {
    False: Word("READY", "Ready", "Scheduler is ready to run new jobs."),
    True: Word("PAUSED", "Paused", "Scheduler is paused, no new jobs start."),
}

QUEUED, RUNNING, COMPLETED, FAILED = "queued", "running", "completed", "failed"
#: Where a task is counted; None for nowhere, as Scale counts what was canceled nowhere.
TASKS = {
    TaskState.CREATED: QUEUED,
    TaskState.SCHEDULED: QUEUED,
    TaskState.RUNNING: RUNNING,
    TaskState.RECONCILING: RUNNING,
    TaskState.CANCELING: RUNNING,
    TaskState.FINISHED: COMPLETED,
    TaskState.FAILED: FAILED,
    TaskState.CANCELED: None,
}

#: How our order of submissions is called, both ways.
QUEUE_MODES = {"fifo": "FIFO", "lifo": "LIFO"}


def of_node(state: str, conditions: Iterable[str], *, stopped: bool) -> State:
    """Return what a node is: a node's own pause goes before the scheduler's, and either before an error."""
    own = NODES[state]
    if own is not State.READY:
        return own
    if stopped:
        return State.SCHEDULER_STOPPED
    return State.DEGRADED if "error" in conditions else State.READY
