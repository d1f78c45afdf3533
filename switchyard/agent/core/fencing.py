"""Fencing: how long tasks run without contact to the server, and their end in time.

The server runs a task elsewhere some time after it last heard of its node (jobs.leader.lost_nodes); here the task is killed
before, whatever becomes of this process: its guardian has the same limit. All times are seconds since the sending of the
last heartbeat that was acknowledged.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from switchyard.agent.core import stops
from switchyard.agent.core.stops import Reason
from switchyard.agent.core.workers import Worker


@dataclass(frozen=True, slots=True)
class Fence:
    """When running tasks get TERM, and KILL; those of a job that waits for silent nodes, later."""

    term: float = 45.0
    kill: float = 50.0

    def term_after(self, patience: float) -> float:
        """Return when a task gets TERM whose job waits for so many seconds."""
        return max(self.term, patience - (self.kill - self.term))

    def kill_after(self, patience: float) -> float:
        """Return when it is killed."""
        return max(self.kill, patience)

    def end(self, busy: Iterable[Worker], silence: float, now: float) -> bool:
        """End what has gone on for as long as it may; say whether anything is left that is still in time."""
        left = False
        for worker in busy:
            kill = self.kill_after(worker.patience)
            left = left or silence < kill
            status = worker.status()
            if silence >= self.term_after(worker.patience) and status.claimed > worker.ended:
                own = worker.handed[0].entry.stage.grace
                stops.begin(worker, status, Reason.FENCED, now, grace=min(own, max(0.0, kill - silence)))
        return left
