"""The machine: an agent without processes, files, sockets and clocks. Its shell sends events and implements its ports.

A turn of the shell: what has happened; `feed`; at least every LONG seconds `tick` and `feed`; `flush`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from switchyard.agent.core import inventory, rewriting, stops
from switchyard.agent.core.commands import Orders
from switchyard.agent.core.entries import Entries, Entry
from switchyard.agent.core.environments import BOUND, Builder, Environments, Kept
from switchyard.agent.core.fencing import Fence
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.logs import Log
from switchyard.agent.core.moment import Moment
from switchyard.agent.core.monitor import LONG, Watch
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.outcomes import Ends
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.ports import Fetcher, Logger, Output, Workers
from switchyard.agent.core.records import Death
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.states import States
from switchyard.agent.core.stops import Reason
from switchyard.agent.core.workers import Worker
from switchyard.messaging.messages import Command


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the machine needs of its shell.

    `send` takes an encoded report, and whether it was sent before. `fault` takes why the machine cannot run tasks; the shell
    answers with `leave`, and later `come_back`.
    """

    workers: Workers
    fetcher: Fetcher
    builder: Builder
    output: Output
    journal: Notes
    log: Logger
    send: Callable[[dict[str, Any], bool], None]
    fault: Callable[[str], None]


class Machine:
    """What is on the list of one node in one session, and what becomes of it."""

    def __init__(
        self,
        ports: Ports,
        *,
        node: int,
        session: str,
        room: dict[str, int],
        recovered: Recovered,
        last_report: int = 0,
        pause: int = 0,
        kept: Mapping[str, Kept] | None = None,
        bound: int = BOUND,
    ) -> None:
        journal, fetcher, log = ports.journal, ports.fetcher, ports.log
        self._fetcher = fetcher
        self._moment = moment = Moment()
        self._looked = 0.0
        self._away: set[str] = set()
        gpus = any(name[:3] == "gpu" and name[3:].isdigit() for name in room)
        self.reports = Reports(node, session, ports.send, last=last_report, mark=journal.reported, pause=pause, moment=moment)
        self.list = Entries(gpus=gpus, numbers=recovered.entries)
        self.floor = Floor(room=room, entries=self.list, journal=journal, starter=ports.workers, moment=moment)
        self._states = States(floor=self.floor, fetcher=fetcher, output=ports.output, log=log, moment=moment)
        self.environments = Environments(
            entries=self.list, floor=self.floor, builder=ports.builder, moment=moment, kept=kept or {}, bound=bound
        )
        self._ends = Ends(
            entries=self.list, floor=self.floor, reports=self.reports, journal=journal, fetcher=fetcher,
            workers=ports.workers, output=ports.output, log=log, moment=moment, fault=ports.fault, states=self._states,
        )  # fmt: skip
        self._orders = Orders(
            session=session, entries=self.list, floor=self.floor, ends=self._ends, reports=self.reports,
            journal=journal, fetcher=fetcher, environments=self.environments, highest=recovered.highest, log=log,
            moment=moment, states=self._states,
        )  # fmt: skip
        self._watch = Watch(
            entries=self.list, floor=self.floor, ends=self._ends, reports=self.reports, workers=ports.workers,
            output=ports.output, log=log, moment=moment, states=self._states,
        )  # fmt: skip

    def recover(self, recovered: Recovered, now: float) -> None:
        """Report what a predecessor did and the server does not know."""
        self.at(now)
        recovered.report(self._ends, self.reports.replay)

    def at(self, now: float) -> None:
        """Note the time of the events that follow; `now` is in seconds of the monotonic clock, and never 0."""
        self._moment.now = now

    def command(self, command: Command, now: float) -> None:
        """Take a command."""
        self.at(now)
        self._orders.obey(command, now)

    def born(self, number: int, pid: int) -> None:
        """Take that a worker's process has begun."""
        self.floor.workers[number].pid = pid

    def results(self, worker: Worker, lines: bytes, now: float) -> None:
        """Take whole lines that a worker has written. Raises OSError if the machine fails; the lines are taken then too."""
        self.at(now)
        self._ends.read(worker, lines)

    def died(self, worker: Worker, death: Death, now: float) -> None:
        """Take the end of a worker; all that it wrote was taken before."""
        self.at(now)
        self._ends.died(worker, death)

    def unfit(self, entry: Entry, why: str, now: float) -> None:
        """Take that no task of a stage can run on this machine, which one of its entries shows."""
        self.at(now)
        self._ends.unfit(entry, why)

    def feed(self, now: float) -> None:
        """Start what the list and the room allow. Raises OSError if the machine fails."""
        self.at(now)
        self.floor.feed()

    def tick(self, now: float) -> None:
        """Do what time asks for: stops, timeouts, what waited for too long, what is known for too long."""
        self.at(now)
        self._orders.stop_canceled(now)
        self._watch.look(now)
        self.environments.look()
        for stage in self.list.release_files(self.floor.stages(), now):
            self._fetcher.forget_files(stage.id)
        for stage in self.list.forget(self.floor.stages()):
            self._fetcher.forget(stage.id)

    def due(self, now: float) -> bool:
        """Return whether it is time for a tick; each is asked for once."""
        if now - self._looked < LONG:
            return False
        self._looked = now
        return True

    def flush(self, now: float) -> float:
        """Send the reports that are due; return after how many seconds to turn again, at the latest."""
        wait = self.reports.flush(now, more=bool(self.list.entries) or self.floor.ahead)
        return min(wait, LONG) if self.floor.busy or self.list.entries else wait

    def leave(self, why: str, now: float) -> None:
        """Start nothing more; return what has not begun."""
        self.at(now)
        self._away.add(why)
        self.floor.frozen = self._orders.leaving = True
        self._orders.return_all()

    def fail_builds(self, fault: str, now: float) -> None:
        """Take that the machine fails while environments are built: for each, a task is lost with the node."""
        self.at(now)
        for stage in self.environments.delayed():
            self._ends.lose_one(stage, f"the node could not run the task: {fault} while its environment was built")

    def come_back(self, why: str) -> None:
        """Start tasks again, unless there is another reason not to."""
        self._away.discard(why)
        self.floor.frozen = self._orders.leaving = bool(self._away)

    def fence(self, fence: Fence, silence: float, now: float) -> bool:
        """End what may not outlive so long a silence; return whether something runs that still may."""
        return fence.end(self.floor.busy.values(), silence, now)

    def stop_all(self, reason: Reason, now: float, *, grace: float | None = None) -> None:
        """End all that runs, within the grace of each task, or this one if it is shorter."""
        for worker in list(self.floor.busy.values()):
            status = worker.status()
            if status.claimed > worker.ended:
                own = worker.handed[0].entry.stage.grace
                stops.begin(worker, status, reason, now, grace=own if grace is None else min(own, grace))

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return bool(self.floor.busy)

    @property
    def idle(self) -> bool:
        """Whether nothing runs and everything has been reported and acknowledged."""
        return not self.floor.busy and self._ends.settled and self.reports.delivered

    def inventory(self, now: float) -> dict[str, Any]:
        """Return what is here, as a heartbeat says it."""
        self.at(now)
        self.environments.tell()
        parts = (self.list, self.floor, self.reports, self._ends, self._watch)
        return inventory.take(*parts, command=self._orders.highest)

    def rest(self, logs: Iterable[Log]) -> Iterator[Any]:
        """Yield what a journal must say if it is written anew; `logs` are not shipped."""
        return rewriting.rest(self.list, self.floor, self.reports, self._ends, logs)
