"""The turns of a leader: what it does as messages arrive and time passes, and in which order."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from functools import partial
from typing import Any

from switchyard.leader import rollback
from switchyard.leader.database_clock import DatabaseClock
from switchyard.leader.dispatch import DEAF, Dispatcher
from switchyard.leader.lease import RENEWED_EVERY
from switchyard.leader.ports import Ports
from switchyard.leader.reconciliation import Difference, Reconciler, to_end
from switchyard.messaging.messages import Heartbeat, Report
from switchyard.scheduling.lifecycle.apply_reports import Applied
from switchyard.scheduling.lifecycle.checkpoints import Asked
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.stopping import Stopped

#: Steps that failed leaders are remembered by.
REPORTS, STOP, GIVE_UP = "reports", "stop", "give up"
#: Seconds between ticks.
TICK = 1.0
#: Seconds of not having listened after which silence is counted anew.
STALL = 5.0


class Turns(ABC):
    """Works for as long as it leads. All that it remembers may be lost at any time.

    A subclass has the steps: what they read and write, and what becomes of one that fails.
    """

    def __init__(self, epoch: int, ports: Ports) -> None:
        self.epoch = epoch
        self.dispatcher = Dispatcher(epoch, ports)
        self._clock = ports.clock
        self._gaps = rollback.Gaps(ports.clock, self.refuse)
        self._database_clock = DatabaseClock(ports.clock, self.read_database_clock, self.move_times)
        self._reconciler = Reconciler(ports.lists)
        self._some_deaf = True
        self._renewed = self._turned = self._listening_since = ports.clock.monotonic()
        self._ticked = float("-inf")

    @property
    def listening(self) -> float:
        """For how many seconds what happened to nodes could be heard."""
        return self._clock.monotonic() - self._listening_since

    @property
    def until_tick(self) -> float:
        """For how many seconds there is nothing to do unless something arrives."""
        return self._ticked + TICK - self._clock.monotonic()

    def handle(self, reports: Sequence[Report], beats: Sequence[Heartbeat], *, asked: bool, answered: bool = False) -> None:
        """Do what arrived messages and the clock ask for.

        `asked` says whether jobs may have to stop, `answered` whether tasks may have answered a checkpoint.
        """
        self.enter(REPORTS)
        now = self._clock.monotonic()
        if now - self._turned > STALL:
            self._listening_since = now
        self._turned = now
        applied = self.apply(reports) if reports else []
        self.enter("heartbeats")
        heard = self._hear(beats) if beats else set()
        surplus = self._reconcile([beat for beat in beats if beat.session in heard]) if heard else {}
        due = now - self._ticked >= TICK
        self.enter(STOP)
        stopped = self.stop() if due or asked or any(part.stopping for part in applied) else Stopped()
        self.enter("place")
        placed = self.place()
        self.enter("checkpoint")
        checkpoints = self.checkpoint() if due or answered else {}
        self.enter("dispatch")
        cancels = self.unconfirmed_cancels() if any(part.recalled for part in applied) else stopped.cancels
        self.dispatcher.dispatch(
            placed.assignments,
            placed.described,
            {report.session for report in reports} | heard,
            _merged(cancels, surplus),
            recalls=stopped.recalls,
            checkpoints=checkpoints,
        )
        if due:
            self.tick()

    def tick(self) -> None:
        """Look after what no message says, and renew the lease: a loop that hangs loses it."""
        now = self._ticked = self._clock.monotonic()
        self.enter("tick")
        self.dispatcher.keep(self.sessions())
        self._note_deaf(now)
        self.attempt("release", self.release_due)
        self.attempt("gaps", self._gaps.step)
        self.attempt("clock", self._database_clock.follow)
        self.attempt("watch", self.watch_nodes)
        self.attempt("operations", self.end_operations)
        self.attempt("resend", partial(self._resend, now))
        if now - self._renewed >= RENEWED_EVERY:
            self.renew()

    def renew(self) -> None:
        """Make the lease last again."""
        self.renew_lease()
        self._renewed = self._clock.monotonic()

    def attempt(self, step: str, work: Callable[[], None]) -> None:
        """Do a step of the tick."""
        self.enter(step)
        work()

    @abstractmethod
    def enter(self, step: str) -> None:
        """Note which step is next."""

    @abstractmethod
    def apply(self, reports: Sequence[Report]) -> Sequence[Applied[Report]]:
        """Apply reports, and return what came of each part that was applied as one."""

    @abstractmethod
    def hear(self, beats: Sequence[Heartbeat]) -> Set[str]:
        """Note signs of life; return the sessions that are their nodes'."""

    @abstractmethod
    def differ(self, beats: Sequence[Heartbeat], found: Sequence[Difference]) -> Sequence[Difference]:
        """Note what heartbeats say; return the differences to act on."""

    @abstractmethod
    def give_up(self, difference: Difference) -> None:
        """Give up what an agent lacks."""

    @abstractmethod
    def stop(self) -> Stopped:
        """Stop, suspend and drain the jobs that are to be."""

    @abstractmethod
    def place(self) -> Round:
        """Place as many tasks as there is room for."""

    @abstractmethod
    def checkpoint(self) -> Asked:
        """End and begin checkpoints; return which running tasks are asked for their states, by session."""

    @abstractmethod
    def unconfirmed_cancels(self) -> Mapping[str, list[list[Any]]]:
        """Return what agents were told to end and have not confirmed, by session."""

    @abstractmethod
    def unconfirmed_pauses(self) -> Mapping[str, int]:
        """Return the epoch of the pause that each session has yet to confirm."""

    @abstractmethod
    def sessions(self) -> Set[str]:
        """Return the sessions that there are."""

    @abstractmethod
    def note_deaf(self, deaf: Collection[str], waiting: Collection[str]) -> bool:
        """Mark the nodes of deaf sessions, and unmark those not `waiting`; return whether some are marked."""

    @abstractmethod
    def refuse(self, nodes: Collection[int], why: str) -> None:
        """Have the agents of nodes begin new sessions."""

    @abstractmethod
    def release_due(self) -> None:
        """Let tasks be placed whose backoff is over."""

    @abstractmethod
    def watch_nodes(self) -> None:
        """Mark nodes silent or heard again, and end the sessions that are over."""

    @abstractmethod
    def end_operations(self) -> None:
        """End the operations whose targets or deadlines say so."""

    @abstractmethod
    def read_database_clock(self) -> float:
        """Return the database's time, in seconds."""

    @abstractmethod
    def move_times(self, step: float) -> None:
        """Move what is waited for along with the database's clock, which was set by so many seconds."""

    @abstractmethod
    def renew_lease(self) -> None:
        """Make the lease last again; raise LeaseLost if another leads."""

    def confirm(self, reports: Sequence[Report], applied: Applied[Any]) -> None:
        """Note what reports confirm, and which lack some before them."""
        self._gaps.note(reports, applied.gaps)
        for report in reports:
            self.dispatcher.confirm(report.session, report.seen, applied.acknowledged.get(report.node, 0))

    def _hear(self, beats: Sequence[Heartbeat]) -> Set[str]:
        """Note signs of life, and return the sessions that are to be told of it."""
        if ahead := rollback.ahead(beats, self.epoch):
            self.refuse(ahead, rollback.AHEAD)
        heard = self.hear(beats)
        for beat in beats:
            if beat.session in heard:
                self.dispatcher.hear(beat.session, beat.number)
        return heard

    def _reconcile(self, beats: Sequence[Heartbeat]) -> dict[str, list[list[Any]]]:
        """Give up what agents do not have any more; return what they have beyond their lists and must end, by session."""
        lasting = self.differ(beats, self._reconciler.compare(beats, self.dispatcher.unconfirmed()))
        for difference in lasting:
            if difference.missing:
                self.attempt(GIVE_UP, partial(self.give_up, difference))
        return to_end(lasting)

    def _note_deaf(self, now: float) -> None:
        """Mark the nodes that do not take their commands, once this process has listened for long enough to tell."""
        deaf = self.dispatcher.deaf(now) if self.listening > DEAF else set()
        if deaf or self._some_deaf:
            self._some_deaf = self.note_deaf(deaf, self.dispatcher.waiting())

    def _resend(self, now: float) -> None:
        self.dispatcher.resend(now, self.unconfirmed_cancels(), self.unconfirmed_pauses())


def _merged(cancels: Mapping[str, list[list[Any]]], more: Mapping[str, list[list[Any]]]) -> Mapping[str, list[list[Any]]]:
    return {session: [*cancels.get(session, []), *more.get(session, [])] for session in {*cancels, *more}}
