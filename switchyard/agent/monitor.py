"""What is due by the clock: starts and figures to report, output to read, limits of time and memory."""

import json
import os
import time
from pathlib import Path

import structlog

from switchyard.agent import stops
from switchyard.agent.disk import output
from switchyard.agent.disk.output import Log
from switchyard.agent.entries import Entries
from switchyard.agent.network.shipping import Shipper
from switchyard.agent.outcomes import Ends
from switchyard.agent.pool import Floor
from switchyard.agent.processes import trees
from switchyard.agent.processes.workers import Worker
from switchyard.agent.reports import Reports
from switchyard.agent.stops import Reason
from switchyard.agent.worker.pipes import Status

log = structlog.get_logger()
#: Seconds that a task runs before its start is reported without its end, and what waits behind it goes elsewhere.
LONG = 0.02
#: Seconds that an entry may wait on the list.
PATIENCE = 1.0
#: Seconds after which a worker that has not begun what it was handed is given up: it is stopped, or never came to be.
STUCK = 10.0
#: Seconds for which heartbeats tell of a worker that was given up.
LATELY = 10.0
#: Seconds between looks at output and memory, and between updates of one task.
CARE = 0.25
UPDATE = 1.0


class Watch:
    """Looks at what runs."""

    def __init__(self, entries: Entries, floor: Floor, ends: Ends, reports: Reports, shipper: Shipper) -> None:
        self._list = entries
        self._floor = floor
        self._ends = ends
        self._reports = reports
        self._shipper = shipper
        self._cared = 0.0
        #: When workers were given up, lately (monotonic seconds).
        self._given_up: list[float] = []

    def look(self, now: float) -> None:
        """Look at every busy worker once."""
        care = now - self._cared >= CARE
        if care:
            self._cared = now
            self._floor.retire_idle(now)
        for worker in list(self._floor.busy.values()):
            status = worker.page.status()
            if status.claimed > worker.ended and now - status.begun / 1e6 > LONG:
                self._look(worker, status, now)
                if care:
                    self._care(worker, status, now)
            elif status.claimed == worker.ended and worker.outstanding and now - worker.got_on > STUCK:
                self._give_up(worker, now)
        self._ends.give_back(self._list.take_all(before=now - PATIENCE))

    @property
    def stuck(self) -> int:
        """How many workers were given up in the last seconds: several heartbeats say so, since one may be lost."""
        oldest = time.monotonic() - LATELY
        self._given_up = [at for at in self._given_up if at > oldest]
        return len(self._given_up)

    def _give_up(self, worker: Worker, now: float) -> None:
        """End a worker that does not begin what it was handed, which goes back to the list and from there to the server."""
        log.error(
            "a worker does not begin what it was handed", worker=worker.number, pid=worker.pid, tasks=worker.outstanding
        )
        self._given_up.append(now)
        self._floor.take_back(worker)
        worker.retire()
        if worker.pid:
            stops.clear(worker)

    def _look(self, worker: Worker, status: Status, now: float) -> None:
        if worker.reported != status.claimed:
            worker.reported = status.claimed
            self._reports.started(status.stage, status.attempt, status.index, status.begun)
        if worker.outstanding > 1:
            self._floor.take_back(worker)
        stage = worker.handed[0].entry.stage
        if stage.timeout is not None and now - status.begun / 1e6 > stage.timeout and worker.stop is None:
            stops.begin(worker, status, Reason.TIMEOUT, now, grace=stage.grace)
        stops.go_on(worker, status, now)

    def _care(self, worker: Worker, status: Status, now: float) -> None:
        self._follow(worker, status)
        self._update(worker, status, now)
        limit, pid = worker.mem, worker.page.processes()[1]
        if limit and not worker.bounded and pid and trees.resident(pid) > limit:
            stops.begin(worker, status, Reason.MEMORY, now, grace=0)

    def _follow(self, worker: Worker, status: Status) -> None:
        """Let what a task writes be shipped while it runs, and keep it from filling the disk."""
        for stream, start in (("stdout", status.stdout), ("stderr", status.stderr)):
            path = worker.folder / stream
            size = output.size(path)
            if size <= start:
                continue
            self._shipper.follow(Log(status.stage, status.index, status.attempt, stream, path, start))
            if size - start > self._shipper.cap:
                _bound(path, start, self._shipper.cap)

    def _update(self, worker: Worker, status: Status, now: float) -> None:
        """Report what a task tells of itself while it runs, at most once a second."""
        number, text = worker.page.live()
        if number == worker.updated or not text or now - worker.updated_at < UPDATE:
            return
        worker.updated, worker.updated_at = number, now
        claimed, metrics, accumulators = json.loads(text)
        if claimed == status.claimed:
            task = {"stage": status.stage, "attempt": status.attempt, "index": status.index}
            self._reports.updated({**task, "metrics": metrics, "accumulators": accumulators})


def _bound(path: Path, start: int, cap: int) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # A task has removed it, or there is no descriptor now.
        return
    output.bound(fd, start, cap)
    os.close(fd)
