"""Agents: processes that register and work in a session, and begin anew when that is over."""

from collections.abc import Callable
from random import Random

from switchyard.messaging.messages import Command, queue_of
from switchyard.simulation.broker import Broker
from switchyard.simulation.killed import Killed
from switchyard.simulation.machines import Machine
from switchyard.simulation.network import Answer, Network, Unreachable
from switchyard.simulation.server import Registered, Server
from switchyard.simulation.sessions import Session

#: Seconds between attempts to register.
RETRY = 1.0


class Agent:
    """One process. What it knows is gone with it; its successor reads the machine's disk."""

    def __init__(
        self,
        machine: Machine,
        broker: Broker,
        network: Network,
        server: Server,
        random: Random,
        died: Callable[[], None],
        obeys: Callable[[Command], None],
    ) -> None:
        self.name = machine.name
        self.machine = machine
        self.broker = broker
        self.network = network
        self.server = server
        self.random = random
        self._died = died
        self.obeys = obeys
        self.alive = True
        self.session: Session | None = None
        #: After how many more lines in its journal it is killed, if it is to be.
        self.lines_left: int | None = None
        self._asleep: list[Callable[[], None]] | None = None
        machine.heard, machine.kill_agent = self.wake, self.kill
        machine.disk.secret = machine.disk.secret or f"{random.getrandbits(64):x}"
        self._register()

    def run(self, action: Callable[[], None], session: Session | None = None) -> None:
        """Do something in the process, and in this session: at once, when it goes on, or never if that is over."""
        if not self.alive or (session and session is not self.session):
            return
        if self._asleep is not None:
            self._asleep.append(lambda: self.run(action, session))
            return
        try:
            action()
        except Killed:
            self.machine.note("the agent is killed as it writes its journal")
            self.vanish()

    def wake(self) -> None:
        """Have the session turn soon."""
        if self.session:
            self.session.turn_in(0.001)

    def kill(self) -> None:
        """Kill the process."""
        if self.alive:
            self.machine.note("the agent is killed")
            self.vanish()

    def sleep(self) -> None:
        """Stop the process: it does nothing, while its workers go on."""
        self._asleep = [] if self._asleep is None else self._asleep

    def go_on(self) -> None:
        """Have it go on where it was."""
        waiting, self._asleep = self._asleep or [], None
        for action in waiting:
            self.run(action)

    def vanish(self) -> None:
        """End the process; its guardians end what it started."""
        self.alive = False
        self._leave()
        self.machine.heard = lambda: None
        self.machine.end_all()
        self._died()

    def begin_anew(self) -> None:
        """Give the session up and register again, as a successor of oneself."""
        self._leave()
        self.session = None
        self.machine.end_all()
        self._register()

    def written(self) -> None:
        """Note that a line is in the journal; raise Killed if it was the last to be."""
        if self.lines_left is not None:
            self.lines_left -= 1
            if self.lines_left <= 0:
                raise Killed

    def _leave(self) -> None:
        if self.session:
            self.broker.leave(self.machine.name, queue_of(self.session.registered.session))

    def _register(self) -> None:
        disk, machine = self.machine.disk, self.machine
        last, secret, last_secret = disk.session, disk.secret, disk.last_secret
        self.network.ask(
            machine.name,
            lambda: self.server.register(machine.name, machine.totals, last, secret=secret, last_secret=last_secret),
            lambda answer: self.run(lambda: self._registered(answer)),
        )

    def _registered(self, answer: Answer[Registered]) -> None:
        if self.session:
            return
        try:
            registered = answer.get()
        except Unreachable:
            self.machine.timeline.after(RETRY, lambda: self.run(self._register))
            return
        how = "goes on as" if registered.resumed else "begins"
        self.machine.note(f"the agent {how} session {registered.session}, last report {registered.last_report}")
        self.session = Session(self, registered)
        self.session.begin()
        # Not before the journal is of the new session: a successor that finds the old one asks with this secret again.
        disk = self.machine.disk
        disk.last_secret, disk.secret = registered.secret, f"{self.random.getrandbits(64):x}"
