"""Ballista's words for our states, in total tables: a missing state fails the tests. Pure."""

from enum import StrEnum

from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.retry import ExitClass


class Status(StrEnum):
    """What becomes of a job. A canceled one has failed; `Invalid` is for none of ours."""

    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"


#: A job that ends or waits to be decided about is still running: nothing of ours is told as ended before it has.
JOBS = {
    JobState.CREATED: Status.QUEUED,
    JobState.RUNNING: Status.RUNNING,
    JobState.FAILING: Status.RUNNING,
    JobState.FAILED: Status.FAILED,
    JobState.CANCELING: Status.RUNNING,
    JobState.CANCELED: Status.FAILED,
    JobState.FINISHED: Status.COMPLETED,
    JobState.SUSPENDING: Status.RUNNING,
    JobState.SUSPENDED: Status.QUEUED,
}

STAGES = {
    "WAITING": "Unresolved",
    "READY": "Resolved",
    "RUNNING": "Running",
    "FINISHED": "Successful",
    "FAILED": "Failed",
    "CANCELED": "Failed",
}

RUNNING, SUCCESSFUL, FAILED = "Running", "Successful", "Failed"
#: Of a task; None for a partition that no executor works on yet, which is a null in the list of tasks.
TASKS = {
    TaskState.CREATED: None,
    TaskState.SCHEDULED: None,
    TaskState.RUNNING: RUNNING,
    TaskState.FINISHED: SUCCESSFUL,
    TaskState.CANCELING: RUNNING,
    TaskState.CANCELED: FAILED,
    TaskState.FAILED: FAILED,
    TaskState.RECONCILING: RUNNING,
}

#: Why a task failed, by how its last attempt ended.
REASONS = {
    ExitClass.USER_ERROR: "ExecutionError",
    ExitClass.TIMEOUT: "TaskKilled",
    ExitClass.OUT_OF_MEMORY: "TaskKilled",
    ExitClass.KILLED: "TaskKilled",
    ExitClass.LOST: "ExecutorLost",
    ExitClass.SUSPENDED: "TaskKilled",
    ExitClass.UNLOADABLE: "ExecutionError",
    ExitClass.ENVIRONMENT: "ExecutionError",
}
KILLED, UNKNOWN = "TaskKilled", "Failed"

#: Which nodes are executors: those whose agent is there, or may come back.
EXECUTORS = {
    "READY": True,
    "PAUSING": True,
    "PAUSED": True,
    "DRAINING": True,
    "DRAINED": True,
    "LEAVING": True,
    "DEAF": True,
    "SILENT": True,
    "GONE": False,
    "INACTIVE": False,
}

#: The operator that runs what a stage runs, and the one that reads what goes along an edge.
PROGRAMS = {"command": "CommandExec", "python": "PythonExec"}
READERS = {"all": "ShuffleReader", "pointwise": "PointwiseReader"}
WRITER = "ShuffleWriter"
