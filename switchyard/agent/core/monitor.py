"""Periodic work: report starts and figures, read output, enforce limits of time and memory."""

import json

from switchyard.agent.core import stops
from switchyard.agent.core.entries import Entries
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.outcomes import Ends
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.ports import Logger, Output, Workers
from switchyard.agent.core.records import Status
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.states import States
from switchyard.agent.core.stops import Reason
from switchyard.agent.core.workers import Worker
from switchyard.scheduling.lifecycle.reports import Update

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

    def __init__(
        self,
        *,
        entries: Entries,
        floor: Floor,
        ends: Ends,
        reports: Reports,
        workers: Workers,
        output: Output,
        log: Logger,
        moment: Moment,
        states: States,
    ) -> None:
        self._list = entries
        self._floor = floor
        self._ends = ends
        self._reports = reports
        self._workers = workers
        self._output = output
        self._log = log
        self._moment = moment
        self._states = states
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
            status = worker.status()
            if status.claimed > worker.ended and now - status.begun / 1e6 > LONG:
                self._look(worker, status, now)
                if care:
                    self._care(worker, status, now)
            elif status.claimed == worker.ended and worker.outstanding and now - worker.got_on > STUCK:
                self._give_up(worker, now)
        self._states.flush(now)
        self._ends.give_back(self._list.take_all(before=now - PATIENCE))

    @property
    def stuck(self) -> int:
        """How many workers were given up in the last seconds: several heartbeats say so, since one may be lost."""
        oldest = self._moment.now - LATELY
        self._given_up = [at for at in self._given_up if at > oldest]
        return len(self._given_up)

    def _give_up(self, worker: Worker, now: float) -> None:
        """End a worker that does not begin what it was handed, which goes back to the list and from there to the server."""
        self._log.error(
            "a worker does not begin what it was handed", worker=worker.number, pid=worker.pid, tasks=worker.outstanding
        )
        self._given_up.append(now)
        self._floor.take_back(worker)
        worker.retire()
        self._workers.give_up(worker)

    def _look(self, worker: Worker, status: Status, now: float) -> None:
        if worker.reported != status.claimed:
            worker.reported = status.claimed
            self._reports.started(status.stage, status.attempt, status.index, status.begun)
        self._states.look(worker)
        if worker.outstanding > 1:
            self._floor.take_back(worker)
        stage = worker.handed[0].entry.stage
        if stage.timeout is not None and now - status.begun / 1e6 > stage.timeout and worker.stop is None:
            stops.begin(worker, status, Reason.TIMEOUT, now, grace=stage.grace)
        stops.go_on(worker, status, now)

    def _care(self, worker: Worker, status: Status, now: float) -> None:
        self._output.follow(worker, status)
        self._update(worker, status, now)
        if worker.mem and not worker.bounded and worker.resident() > worker.mem:
            stops.begin(worker, status, Reason.MEMORY, now, grace=0)

    def _update(self, worker: Worker, status: Status, now: float) -> None:
        """Report what a task tells of itself while it runs, at most once a second."""
        number, text = worker.live()
        if number == worker.updated or not text or now - worker.updated_at < UPDATE:
            return
        worker.updated, worker.updated_at = number, now
        claimed, metrics, accumulators = json.loads(text)
        if claimed == status.claimed:
            self._reports.updated(Update(*status.task, metrics, accumulators))
