"""What the benchmarks' tasks run."""

import time

from switchyard.task import Task

LATE_INDEX, LATE_SECONDS = 5000, 10.0
LONG_SECONDS = 600.0
#: Seconds between looks of a task whether a checkpoint asks for its state.
ANSWER_SECONDS = 0.25


def square(task: Task) -> int:
    """Return a value that a check can compute again."""
    return task.index * task.index


def square_late(task: Task) -> int:
    """Return the same, for one of the tasks after a long while."""
    if task.index == LATE_INDEX:
        time.sleep(LATE_SECONDS)
    return square(task)


def tell(task: Task) -> int:
    """Return the same, having told of what was read and counted."""
    task.metric("read_records", task.index)
    task.accumulate("seen")
    return square(task)


def keep(task: Task, kib: int) -> None:
    """Save a state whenever a checkpoint asks for it, until the task is canceled."""
    state = "x" * (1024 * kib)
    task.on_checkpoint(lambda: state)
    while not task.canceled:
        task.check()
        time.sleep(ANSWER_SECONDS)


def wait() -> None:
    """Occupy a slot for as long as anything is measured."""
    time.sleep(LONG_SECONDS)
