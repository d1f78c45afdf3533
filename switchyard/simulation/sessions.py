"""Sessions: everything of an agent between one registration and the end of it, around the machine without I/O."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from switchyard.agent.core import history
from switchyard.agent.core.entries import Entry
from switchyard.agent.core.history import Recovered
from switchyard.agent.core.logs import Log
from switchyard.agent.core.machine import Machine, Ports
from switchyard.agent.core.monitor import LONG
from switchyard.agent.core.records import Status
from switchyard.agent.core.workers import Worker
from switchyard.messaging.messages import REPORT_QUEUE, Command, Report, queue_of
from switchyard.simulation import story
from switchyard.simulation.broker import Message
from switchyard.simulation.building import Building
from switchyard.simulation.disks import Disk, Journal
from switchyard.simulation.fetching import Fetching
from switchyard.simulation.heartbeats import Heartbeats
from switchyard.simulation.machines import FENCE
from switchyard.simulation.server import Registered
from switchyard.simulation.workers import Process

if TYPE_CHECKING:
    from switchyard.simulation.agents import Agent

#: Seconds between turns while something runs or waits. An agent turns more often; here turns are most of a run.
TURN = 0.25
#: Seconds for which a fault stands at least.
STANDS = 2.0


class Session:
    """One registration of an agent, at work."""

    def __init__(self, agent: "Agent", registered: Registered) -> None:
        self.registered = registered
        self._agent = agent
        self._hardware = hardware = agent.machine
        recovered = self._recover()
        self._journal = Journal(hardware.disk, registered.session, recovered.highest, agent.written)
        ports = Ports(
            workers=self,
            fetcher=Fetching(agent, registered),
            builder=Building(agent),
            output=NoOutput(hardware.disk),
            journal=self._journal,
            log=Remarks(hardware.note),
            send=self._send,
            fault=self._fail,
        )
        self.machine = Machine(
            ports,
            node=registered.node,
            session=registered.session,
            room=hardware.totals,
            recovered=recovered,
            last_report=registered.last_report,
            pause=registered.pause,
        )
        self.heartbeats = Heartbeats(agent, registered, self._figures)
        self._born: set[int] = set()
        self._turn_at = float("inf")
        self._fault, self._fault_until = "", 0.0
        self._cut = False
        self._recovered = recovered

    def begin(self) -> None:
        """Report what a predecessor did, and work from now on."""
        self.machine.recover(self._recovered, self._hardware.monotonic)
        self._journal.known(self._recovered.entries)
        self._journal.commit()
        self._hardware.clear()
        self._agent.broker.consume(self._agent.name, queue_of(self.registered.session), self._take)
        self.heartbeats.beat()
        self.turn_in(0.0)

    def turn_in(self, seconds: float) -> None:
        """Turn after so many seconds at the latest."""
        now = self._hardware.timeline.now
        if now + seconds < self._turn_at:
            self._turn_at = when = now + seconds
            self._hardware.timeline.at(when, lambda: self._agent.run(self._turn, self) if self._turn_at == when else None)

    def start(self, entry: Entry) -> Process:
        """Start a worker."""
        return self._hardware.start(entry)

    def give_up(self, worker: Worker) -> None:
        """Kill a worker that does not begin its tasks."""
        worker.clear()

    def bury(self, worker: Worker) -> None:
        """Forget a dead worker."""
        self._hardware.workers.pop(worker.number, None)

    def release_unused(self, workers: Iterable[Worker]) -> None:
        """Release nothing: workers need no help to start."""

    def _recover(self) -> Recovered:
        disk = self._hardware.disk
        if not (self.registered.resumed and disk.values):
            return Recovered()
        reported = self.registered.last_report
        return history.read(disk.values, disk.pages, reported=reported, folder="workers", cap=NoOutput.cap, size=lambda _: 0)

    def _take(self, message: Message) -> None:
        def obey() -> None:
            command = Command.decode(message)
            if story.is_telling(command):
                self._hardware.note(f"obeys {story.command(command)}")
            self._agent.obeys(command)
            self.heartbeats.acknowledge(command.heartbeat)
            self.machine.command(command, self._hardware.monotonic)
            self.turn_in(0.001)

        self._agent.run(obey, self)

    def _send(self, report: dict[str, Any], again: bool) -> None:  # noqa: FBT001 - as the port has it
        taken = self._agent.broker.send(self._agent.name, REPORT_QUEUE, report)
        said = story.report(Report.decode(report))
        self._hardware.note(f"{'reports' if taken else 'cannot report'} {said}{' again' if again else ''}")

    def _fail(self, fault: str) -> None:
        self._fault, self._fault_until = fault, self._hardware.timeline.now + STANDS

    def _turn(self) -> None:
        self._turn_at = float("inf")
        if self._fence():
            self._agent.begin_anew()
            return
        self._attempt(self._hear)
        self._attempt(lambda: self.machine.feed(self._hardware.monotonic))
        if self.machine.due(self._hardware.monotonic):
            self.machine.tick(self._hardware.monotonic)
            self._attempt(lambda: self.machine.feed(self._hardware.monotonic))
            if self._journal.broken and not self._hardware.disk.full:
                self._journal.rewrite(self.machine.rest(()))
        self._suit()
        wait = self.machine.flush(self._hardware.monotonic)
        self.turn_in(TURN if wait == LONG else wait)

    def _fence(self) -> bool:
        """End what may not outlive the silence of the server; return whether the session is over."""
        now, silence = self._hardware.monotonic, self.heartbeats.silence
        if self._cut != (silence >= FENCE.term):
            self._cut = not self._cut
            self._hardware.note(f"the agent is {'cut off' if self._cut else 'heard again'}")
            self.machine.leave("told", now) if self._cut else self.machine.come_back("told")
        if self._cut and not (self.machine.fence(FENCE, silence, now) and self.machine.busy):
            self._close()
            return True
        self._hardware.extend(self.heartbeats.heard)
        return False

    def _close(self) -> None:
        self._hardware.end_all()
        if self.heartbeats.ended:
            self._journal.left()
            self.heartbeats.say_left()

    def _hear(self) -> None:
        """Take what workers wrote, and which began and ended."""
        now = self._hardware.monotonic
        for process in list(self._hardware.workers.values()):
            if process.pid and process.number not in self._born:
                self._born.add(process.number)
                self.machine.born(process.number, process.pid)
            if lines := process.take_lines():
                self.machine.results(process, lines, now)
            if process.mute:
                process.clear()
            if process.dead is not None:
                self.machine.died(process, process.death(), now)

    def _attempt(self, what: Callable[[], None]) -> None:
        try:
            what()
        except OSError as error:
            self._fail(str(error))

    def _suit(self) -> None:
        """Run nothing while the machine fails."""
        if self._fault and self._hardware.timeline.now >= self._fault_until and not self._hardware.disk.full:
            self._fault = ""
            self.machine.come_back("unfit")
        elif self._fault:
            self.machine.leave("unfit", self._hardware.monotonic)

    def _figures(self) -> dict[str, Any]:
        return {
            "inventory": self.machine.inventory(self._hardware.monotonic),
            **({"fault": self._fault} if self._fault else {}),
        }


class NoOutput:
    """Tasks here write nothing but their states."""

    cap = 0

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def finish(self, log: Log) -> None:
        return

    def follow(self, worker: Worker, status: Status) -> None:
        return

    def discard(self, path: str) -> None:
        self._disk.states.pop(path, None)


class Remarks:
    """Puts what an agent logs into the story."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def warning(self, event: str, /, **facts: Any) -> None:
        self._note(f"logs: {event} {_shown(facts)}")

    error = warning


def _shown(facts: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in facts.items())
