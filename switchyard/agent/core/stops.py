"""End running tasks: TERM, and after the stage's grace KILL for every process that the task started."""

from enum import StrEnum

from msgspec.structs import replace

from switchyard.agent.core.ends import Written
from switchyard.agent.core.records import Status
from switchyard.agent.core.workers import Stop, Worker
from switchyard.scheduling.lifecycle.ends import Outcome
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


def begin(worker: Worker, status: Status, reason: Reason, now: float, *, grace: float, patience: float = 0.0) -> None:
    """Begin to end the task that a worker runs; a second reason changes nothing but to make it sooner.

    For so many seconds of `patience` it may end by itself.
    """
    ask_at, kill_at = now + patience, now + patience + grace
    if worker.stop is None or worker.stop.task != status.task:
        worker.stop = Stop(status.task, reason, kill_at, ask_at)
    worker.stop.kill_at, worker.stop.ask_at = min(worker.stop.kill_at, kill_at), min(worker.stop.ask_at, ask_at)
    go_on(worker, status, now)


def go_on(worker: Worker, status: Status, now: float) -> None:
    """Do what is due to end a task, as long as the worker runs it still."""
    stop = worker.stop
    if stop is None or stop.task != status.task:
        return
    if not stop.asked and now >= stop.ask_at:
        stop.asked = worker.terminate()
    if now >= stop.kill_at and not stop.killed and worker.kill():
        stop.killed = stop.asked = True


def is_ours(stop: Stop, end: Written) -> bool:
    """Return whether a task ended because it was told to; one that saved its last state ends itself."""
    return stop.asked or (stop.reason == Reason.CANCELED and end.exit_class is ExitClass.KILLED)


def canceled(end: Written) -> Written:
    """Return the end of a task that finished as that of one that was canceled before all of it was stored."""
    return replace(_without_results(end), error=str(Reason.CANCELED), outcome=Outcome.CANCELED, exit_class=None)


def overrule(stop: Stop, end: Written) -> Written:
    """Return an end as what it is: brought about by us."""
    reason = Reason(stop.reason)
    return replace(
        _without_results(end),
        error=str(reason) if end.outcome is Outcome.FINISHED or not end.error else f"{reason}: {end.error}",
        outcome=Outcome.CANCELED if reason is Reason.CANCELED else Outcome.FAILED,
        exit_class=CLASSES.get(reason),
    )


def _without_results(end: Written) -> Written:
    return replace(end, result=None, result_digest=None, file=None, files=None, unstored=False)
