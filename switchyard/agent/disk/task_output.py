"""Task output: send the output of running tasks, and keep it from filling the disk."""

import os
from pathlib import Path

from switchyard.agent.core.logs import STREAMS, Log
from switchyard.agent.core.records import Status
from switchyard.agent.core.workers import Worker
from switchyard.agent.disk import output
from switchyard.agent.network.shipping import Shipper


class TaskOutput:
    """What tasks write, on its way to the server (switchyard.agent.core.ports.Output)."""

    def __init__(self, shipper: Shipper) -> None:
        self._shipper = shipper
        self.cap = shipper.cap

    def finish(self, log: Log) -> None:
        """Ship all of a log; its task has ended."""
        self._shipper.finish(log)

    def follow(self, worker: Worker, status: Status) -> None:
        """Ship what a running task has written so far."""
        for stream, start in zip(STREAMS, (status.stdout, status.stderr), strict=True):
            path = Path(worker.folder) / stream
            size = output.size(path)
            if size <= start:
                continue
            self._shipper.follow(Log(status.stage, status.index, status.attempt, stream, str(path), start))
            if size - start > self.cap:
                _bound(path, start, self.cap)

    def discard(self, path: str) -> None:
        """Remove the file of a result that is stored."""
        Path(path).unlink(missing_ok=True)


def _bound(path: Path, start: int, cap: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # A task has removed it, or there is no descriptor now.
        return
    output.bound(fd, start, cap)
    os.close(fd)
