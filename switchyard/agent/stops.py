"""End running tasks: TERM, and after the stage's grace KILL for every process that the task started."""

import os
import signal
from contextlib import suppress
from enum import StrEnum

from switchyard.agent.processes import trees
from switchyard.agent.processes.workers import Stop, Worker
from switchyard.agent.worker.pipes import Status
from switchyard.scheduling.retry import ExitClass


class Reason(StrEnum):
    """Why a task is ended before its time."""

    CANCELED = "it was canceled"
    TIMEOUT = "it ran longer than its timeout"
    MEMORY = "it used more memory than it asked for"
    FENCED = "the node was cut off from the server"
    SHUTDOWN = "the agent was told to stop"


#: What such an end counts as; being canceled is no failure.
CLASSES = {
    Reason.TIMEOUT: ExitClass.TIMEOUT,
    Reason.MEMORY: ExitClass.OUT_OF_MEMORY,
    Reason.FENCED: ExitClass.LOST,
    Reason.SHUTDOWN: ExitClass.LOST,
}


def begin(worker: Worker, status: Status, reason: Reason, now: float, *, grace: float) -> None:
    """Begin to end the task that a worker runs; a second reason changes nothing but to make it sooner."""
    task = (status.stage, status.attempt, status.index)
    if worker.stop is None or worker.stop.task != task:
        worker.stop = Stop(task, reason, now + grace)
    worker.stop.kill_at = min(worker.stop.kill_at, now + grace)
    go_on(worker, status, now)


def go_on(worker: Worker, status: Status, now: float) -> None:
    """Do what is due to end a task, as long as the worker runs it still."""
    stop = worker.stop
    if stop is None or stop.task != (status.stage, status.attempt, status.index):
        return
    group, pid, _ = worker.page.processes()
    if not stop.asked:
        stop.asked = _ask(worker, group, pid)
    if now >= stop.kill_at and not stop.killed and pid:
        stop.killed = stop.asked = True
        trees.kill(pid, root=worker.key[0] != "command")


def clear(worker: Worker) -> None:
    """Kill a worker that is not to go on, or has ended, with all that its tasks have left behind."""
    group, pid, started = worker.page.processes()
    if pid and trees.start_time(pid) == started:
        trees.kill(pid, root=True)
    for leader in filter(None, (group, pid)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)


def overrule(stop: Stop, end: dict[str, object]) -> None:
    """Tell an end as what it is: brought about by us."""
    reason = Reason(stop.reason)
    end["result"] = end["result_digest"] = None
    end["error"] = str(reason) if end["outcome"] == "FINISHED" or not end["error"] else f"{reason}: {end['error']}"
    end["outcome"] = "CANCELED" if reason is Reason.CANCELED else "FAILED"
    end["class"] = CLASSES.get(reason)


def _ask(worker: Worker, group: int, pid: int) -> bool:
    """Send TERM to what runs; say whether there was something."""
    try:
        if worker.key[0] != "command":
            os.kill(pid, signal.SIGTERM) if pid else None
            return bool(pid)
        if group:
            os.killpg(group, signal.SIGTERM)
        return bool(group)
    except ProcessLookupError:
        return False
