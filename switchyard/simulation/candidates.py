"""Scheduler processes: each leads while it holds the lease, and stands by otherwise."""

from collections.abc import Callable

from switchyard.leader.lease import STAND_BY
from switchyard.leader.ports import Ports
from switchyard.leader.reconciliation import Difference
from switchyard.leader.turns import TICK
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HINT_QUEUE, REPORT_QUEUE, Heartbeat, Report
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.simulation.broker import Broker, Message
from switchyard.simulation.database import Database
from switchyard.simulation.killed import Killed
from switchyard.simulation.leader import Leader
from switchyard.simulation.ports import Descriptions, Lists, Outbox, VirtualClock
from switchyard.simulation.server import Server
from switchyard.simulation.story import Story
from switchyard.simulation.timeline import Timeline


class Candidate:
    """One process."""

    def __init__(
        self,
        name: str,
        timeline: Timeline,
        story: Story,
        broker: Broker,
        database: Database,
        server: Server,
        pace: float,
        differs: Callable[[Difference], None],
        died: Callable[[], None],
    ) -> None:
        self.name = name
        self.alive = True
        self.leader: Leader | None = None
        self._timeline = timeline
        self._story = story
        self._broker = broker
        self._database = database
        self._server = server
        #: Seconds between an arrival and the turn that takes it.
        self._pace = pace
        self._differs = differs
        self._died = died
        self._asleep: list[Callable[[], None]] | None = None
        self._reports: list[Report] = []
        self._beats: list[Heartbeat] = []
        self._hinted = False
        #: Since when it leads and has not been stopped.
        self.led_since = timeline.now
        self._turn_at = float("inf")
        self._stand_by()

    @property
    def works(self) -> bool:
        """Whether it leads, and is not stopped."""
        return self.leader is not None and self._asleep is None

    def kill(self) -> None:
        """Kill the process."""
        if self.alive:
            self._story.note(self.name, "is killed")
            self._vanish()

    def sleep(self) -> None:
        """Stop the process (SIGSTOP)."""
        self._asleep = [] if self._asleep is None else self._asleep

    def go_on(self) -> None:
        """Have it go on where it was."""
        waiting, self._asleep, self.led_since = self._asleep or [], None, self._timeline.now
        for action in waiting:
            self._run(action)

    def _run(self, action: Callable[[], None]) -> None:
        """Do something in the process: at once, when it goes on, or never if it is dead."""
        if not self.alive:
            return
        if self._asleep is not None:
            self._asleep.append(action)
            return
        try:
            action()
        except Killed:
            self._story.note(self.name, "is killed at a commit")
            self._vanish()
        except LeaseLost:
            self._story.note(self.name, "has lost the lease")
            self._leave()
            self._timeline.after(STAND_BY, lambda: self._run(self._stand_by))

    def _stand_by(self) -> None:
        epoch = self._database.take_lease(self.name)
        if epoch is None:
            self._timeline.after(STAND_BY, lambda: self._run(self._stand_by))
            return
        self._story.note(self.name, f"leads in epoch {epoch}")
        self.led_since = self._timeline.now
        self.leader = Leader(
            self._database,
            epoch,
            Ports(
                VirtualClock(self._timeline),
                Outbox(self.name, self._broker, self._story),
                Lists(self._database),
                Descriptions(self._server),
            ),
            differs=self._differs,
        )
        for queue, take in ((REPORT_QUEUE, self._report), (HEARTBEAT_QUEUE, self._beat), (HINT_QUEUE, self._hint)):
            self._broker.consume(self.name, queue, take)
        self._run(self.leader.dispatcher.send_all)
        self._turn_in(0.0)

    def _report(self, message: Message) -> None:
        self._reports.append(Report.decode(message))
        self._turn_in(self._pace)

    def _beat(self, message: Message) -> None:
        self._beats.append(Heartbeat(**message))
        self._turn_in(self._pace)

    def _hint(self, message: Message) -> None:
        self._hinted = True
        self._turn_in(self._pace)

    def _turn_in(self, seconds: float) -> None:
        when = self._timeline.now + seconds
        if when < self._turn_at:
            self._turn_at = when
            self._timeline.at(when, lambda: self._run(self._turn) if self._turn_at == when else None)

    def _turn(self) -> None:
        self._turn_at = float("inf")
        if self.leader is None:
            return
        reports, beats, hinted = self._reports, self._beats, self._hinted
        self._reports, self._beats, self._hinted = [], [], False
        self.leader.handle(reports, beats, asked=hinted)
        self._turn_in(TICK)

    def _vanish(self) -> None:
        self.alive = False
        self._leave()
        self._died()

    def _leave(self) -> None:
        self.leader = None
        self._reports, self._beats, self._hinted = [], [], False
        for queue in (REPORT_QUEUE, HEARTBEAT_QUEUE, HINT_QUEUE):
            self._broker.leave(self.name, queue)
