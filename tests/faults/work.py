"""What tasks do while faults land: hold a lock of their own, and log when they ran."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from switchyard.task import Task


def interval(task: Task, folder: str, seconds: float) -> int:
    """Run for a while under the task's lock file; leave a mark where another attempt holds it already (I4)."""
    with _alone(task, folder):
        time.sleep(seconds)
    return task.index


def until(task: Task, folder: str, file: str) -> int:
    """Run so until a file is there."""
    with _alone(task, folder):
        while not Path(file).exists():
            time.sleep(0.05)
    return task.index


@contextmanager
def _alone(task: Task, folder: str) -> Iterator[None]:
    lock = os.open(Path(folder) / f"{task.index}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (Path(folder) / f"overlap-{task.index}-{task.attempt}").touch()
    with (Path(folder) / "intervals").open("a") as log:
        log.write(f"begin {task.index} {task.attempt}\n")
        log.flush()
        yield
        log.write(f"end {task.index} {task.attempt}\n")
    os.close(lock)
