"""Flink's words for our states, in total tables: a missing state fails the tests. Pure."""

from collections.abc import Mapping

from switchyard.scheduling.accumulators import Kind
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.retry import ExitClass

#: Flink's jobs are CANCELLING with two L, its tasks CANCELING with one. A job of which tasks are still to end is RUNNING.
JOBS = {state: state.name for state in JobState} | {JobState.CANCELING: "CANCELLING", JobState.SUSPENDING: "RUNNING"}
#: What Flink's jobs can be, but for SUSPENDING: 1.9 has it no more, and its classes refuse an object with this key.
JOB_WORDS = (
    *("CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED"),
    *("RESTARTING", "SUSPENDED", "RECONCILING"),
)
TASKS = {state: state.name for state in TaskState}
#: What Flink's tasks can be.
TASK_WORDS = (
    *("CREATED", "SCHEDULED", "DEPLOYING", "RUNNING", "FINISHED"),
    *("CANCELING", "CANCELED", "FAILED", "RECONCILING"),
)

#: Which nodes are taskmanagers, and whether their free slots are on offer.
TASKMANAGERS = {
    "READY": True,
    "PAUSING": True,
    "PAUSED": True,
    "DRAINING": True,
    "DRAINED": True,
    "LEAVING": True,
    "DEAF": True,
    "SILENT": False,
    "GONE": False,
    "INACTIVE": False,
}

#: How an edge hands on results: everything to everybody, or from task to task.
SHIPPING = {"all": "BROADCAST", "pointwise": "FORWARD"}
EXCHANGES = {"all": "blocking", "pointwise": "pipelined_bounded"}
OPERATORS = {"command": "Command", "python": "Python"}

#: The kinds of accumulators.
ACCUMULATORS = {
    Kind.INT: "IntCounter",
    Kind.LONG: "LongCounter",
    Kind.DOUBLE: "DoubleCounter",
    Kind.AVERAGE: "AverageAccumulator",
    Kind.HISTOGRAM: "Histogram",
}

#: Up to which share of the time something may be held back to be told as ok, and as low.
OK, LOW = 0.1, 0.5

#: The names of failures of which no exception tells.
EXITS: Mapping[str, str] = {
    ExitClass.USER_ERROR: "JobExecutionException",
    ExitClass.TIMEOUT: "TimeoutException",
    ExitClass.OUT_OF_MEMORY: "OutOfMemoryError",
    ExitClass.KILLED: "TaskKilledException",
    ExitClass.LOST: "TaskManagerLostException",
    ExitClass.SUSPENDED: "TaskKilledException",
    ExitClass.UNLOADABLE: "ClassNotFoundException",
    ExitClass.ENVIRONMENT: "ClassNotFoundException",
}

#: How an ended job is told by its result.
RESULTS = {JobState.FINISHED: "SUCCEEDED", JobState.FAILED: "FAILED", JobState.CANCELED: "CANCELED"}


def vertex(counts: tuple[int, ...], *, ended: bool) -> TaskState:
    """Return the state of a stage by those of its tasks, as Flink sums them up; one that ended without tasks is FINISHED."""
    for state in (TaskState.FAILED, TaskState.CANCELING, TaskState.CANCELED, TaskState.RECONCILING, TaskState.RUNNING):
        if counts[state]:
            return state
    if ended or (counts[TaskState.FINISHED] and counts[TaskState.FINISHED] == sum(counts)):
        return TaskState.FINISHED
    return TaskState.RUNNING if counts[TaskState.FINISHED] else TaskState.CREATED


def level(ratio: float) -> str:
    """Return how much a subtask is held back, in one word."""
    return "ok" if ratio <= OK else "low" if ratio <= LOW else "high"
