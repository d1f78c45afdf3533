"""The states of jobs, tasks and nodes, and which may follow which: one table per machine; nothing else assigns a state."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class State(IntEnum):
    """A state that is stored as a small number and shown by its name."""

    @classmethod
    def choices(cls) -> list[tuple[int, str]]:
        """Return (number, name) pairs, as forms and model fields want them."""
        return [(int(state), state.name) for state in cls]


class TaskState(State):
    """Where a task's current attempt stands. The numbers are stored: 2 was a state once and is not given again."""

    CREATED = 0
    SCHEDULED = 1
    RUNNING = 3
    FINISHED = 4
    CANCELING = 5
    CANCELED = 6
    FAILED = 7
    RECONCILING = 8


class JobState(State):
    """Where a job stands as a whole. The numbers are stored: 7 to 10 were states once and are not given again.

    SUSPENDING has tasks that are still to end for it; of SUSPENDED nothing is on any node.
    """

    CREATED = 0
    RUNNING = 1
    FAILING = 2
    FAILED = 3
    CANCELING = 4
    CANCELED = 5
    FINISHED = 6
    SUSPENDING = 11
    SUSPENDED = 12


class Intent(State):
    """What people want of a job, beside what it is."""

    RUN = 0
    #: That it ends early: no task of its sources begins any more, and what has begun is worked off.
    DRAIN = 1
    CANCEL = 2
    #: That nothing of it runs until it is resumed.
    SUSPEND = 3
    #: That it ends at once, and well: it goes on as another job, from a savepoint.
    STOP = 4


#: From each task state, the states that may follow. FAILED → CREATED is a retry; SCHEDULED → CREATED a confirmed return;
#: CANCELING → CREATED a task of a job that is suspended; FINISHED and CANCELED → CREATED happen to members of a gang that is
#: tried again as one, and to no other task.
TASK_TRANSITIONS: Mapping[TaskState, frozenset[TaskState]] = {
    TaskState.CREATED: frozenset({TaskState.SCHEDULED, TaskState.CANCELED, TaskState.FINISHED}),
    TaskState.SCHEDULED: frozenset(
        {
            TaskState.CREATED,
            TaskState.RUNNING,
            TaskState.FINISHED,
            TaskState.FAILED,
            TaskState.CANCELING,
            TaskState.CANCELED,
            TaskState.RECONCILING,
        }
    ),
    TaskState.RUNNING: frozenset(
        {
            TaskState.CREATED,
            TaskState.FINISHED,
            TaskState.FAILED,
            TaskState.CANCELING,
            TaskState.CANCELED,
            TaskState.RECONCILING,
        }
    ),
    TaskState.RECONCILING: frozenset(
        {
            TaskState.CREATED,
            TaskState.SCHEDULED,
            TaskState.RUNNING,
            TaskState.FINISHED,
            TaskState.FAILED,
            TaskState.CANCELING,
            TaskState.CANCELED,
        }
    ),
    TaskState.CANCELING: frozenset({TaskState.CREATED, TaskState.CANCELED, TaskState.FINISHED, TaskState.FAILED}),
    TaskState.FAILED: frozenset({TaskState.CREATED}),
    TaskState.FINISHED: frozenset({TaskState.CREATED}),
    TaskState.CANCELED: frozenset({TaskState.CREATED}),
}

#: From each job state, the states that may follow. CANCELING → FINISHED is a job that was stopped with a savepoint.
JOB_TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    JobState.CREATED: frozenset(
        {
            JobState.RUNNING,
            JobState.FINISHED,
            JobState.FAILING,
            JobState.FAILED,
            JobState.CANCELING,
            JobState.SUSPENDING,
        }
    ),
    JobState.RUNNING: frozenset(
        {JobState.FINISHED, JobState.FAILING, JobState.FAILED, JobState.CANCELING, JobState.SUSPENDING}
    ),
    JobState.SUSPENDING: frozenset(
        {
            JobState.SUSPENDED,
            JobState.CREATED,
            JobState.RUNNING,
            JobState.FINISHED,
            JobState.FAILING,
            JobState.CANCELING,
        }
    ),
    JobState.SUSPENDED: frozenset({JobState.CREATED, JobState.RUNNING, JobState.CANCELING}),
    JobState.FAILING: frozenset({JobState.FAILED, JobState.CANCELING}),
    JobState.CANCELING: frozenset({JobState.CANCELED, JobState.FINISHED}),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.FINISHED: frozenset(),
}

#: Places of a list that is indexed by TaskState.
TASK_PLACES = max(TaskState) + 1
#: Tasks on a node's list.
LISTED = frozenset({TaskState.SCHEDULED, TaskState.RUNNING, TaskState.CANCELING, TaskState.RECONCILING})
TASK_ENDS = frozenset({TaskState.FINISHED, TaskState.CANCELED, TaskState.FAILED})
JOB_ENDS = frozenset({JobState.FINISHED, JobState.CANCELED, JobState.FAILED})
#: Jobs whose tasks may be placed.
JOB_STARTABLE = frozenset({JobState.CREATED, JobState.RUNNING})
#: Jobs of which nothing is placed until somebody resumes them.
JOB_SUSPENDED = frozenset({JobState.SUSPENDING, JobState.SUSPENDED})


def sources(state: TaskState) -> frozenset[TaskState]:
    """Return the task states from which `state` may follow."""
    return frozenset(before for before, after in TASK_TRANSITIONS.items() if state in after)


def diagram(table: Mapping[Any, frozenset[Any]], ends: frozenset[Any]) -> str:
    """Draw a machine as a Mermaid state diagram; ARCHITECTURE.md shows it, and a test keeps it so."""
    arrows = [f"    {before.name} --> {after.name}" for before in table for after in sorted(table[before])]
    finals = [f"    {state.name} --> [*]" for state in sorted(ends)]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {min(table).name}", *arrows, *finals])
