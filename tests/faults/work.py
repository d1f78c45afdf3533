"""What tasks do while faults land: hold a lock of their own, and log when they ran."""

import fcntl
import os
import time
from pathlib import Path

from switchyard.task import Task


def interval(task: Task, folder: str, seconds: float) -> int:
    """Run for a while under the task's lock file; leave a mark where another attempt holds it already (I4)."""
    lock = os.open(Path(folder) / f"{task.index}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (Path(folder) / f"overlap-{task.index}-{task.attempt}").touch()
    with (Path(folder) / "intervals").open("a") as log:
        log.write(f"begin {task.index} {task.attempt}\n")
        log.flush()
        time.sleep(seconds)
        log.write(f"end {task.index} {task.attempt}\n")
    os.close(lock)
    return task.index
