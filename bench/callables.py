"""What the benchmarks' tasks run."""

from switchyard.task import Task


def square(task: Task) -> int:
    """Return a value that a check can compute again."""
    return task.index * task.index
