"""The loop of the scheduler that holds the lease: the steps of its turns, on PostgreSQL and the broker."""

import json
import time
from collections.abc import Callable, Collection, Sequence
from queue import Empty
from typing import Any

import structlog
from django.db import connection

from database import rows
from jobs.inbox import Hint, Message, inbox
from jobs.leader import (
    clocks,
    deadlines,
    deafness,
    hangs,
    incarnation,
    lease,
    lost_nodes,
    pauses,
    placing,
    reconciliation,
    stopping,
    watchdog,
)
from jobs.leader.agent_reports import Applied
from jobs.leader.bisect import raise_if_blameless
from jobs.leader.clock import CLOCK
from jobs.leader.descriptions import StoredDescriptions
from jobs.leader.housekeeping import Upkeep
from jobs.leader.lists import StoredLists
from jobs.leader.memory import Memory
from jobs.leader.outbox import Broker
from jobs.leader.planning import Planner
from jobs.leader.snapshot import Surveyor
from jobs.leader.turn_reports import Applying
from jobs.models import Figure
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.records import RECORDS
from jobs.store.savepoints import SAVEPOINTS
from nodes import broker, selectors, trust
from switchyard.leader.ports import Clock, Outbox, Ports
from switchyard.leader.reconciliation import Difference
from switchyard.leader.turns import Turns
from switchyard.messaging.consumer import Hearing
from switchyard.messaging.messages import Heartbeat, Report, kept_figures
from switchyard.scheduling.lifecycle import checkpoints, operations, savepoints
from switchyard.scheduling.lifecycle.checkpoints import Asked
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.stopping import Stopped

log = structlog.get_logger()


class Leader(Turns):
    """Works while it holds the lease; raises LeaseLost when another took over."""

    def __init__(
        self,
        epoch: int,
        *,
        clock: Clock = CLOCK,
        hearing: Callable[[], Hearing] = lambda: Hearing.WHOLE,
        outbox: Outbox | None = None,
    ) -> None:
        super().__init__(epoch, Ports(clock, outbox or Broker(), StoredLists(), StoredDescriptions()))
        self.upkeep = Upkeep(clock.now())
        self.surveyor = Surveyor(clock)
        self._hangs = hangs.Hangs(clock)
        self._users = broker.Users()
        self.planner = Planner()
        self._hearing = hearing
        self._heard = Hearing.UNKNOWN
        self._memory = Memory()
        self._prepare()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Work until told to stop, then give the lease back. An outage of the database is waited out."""
        self.dispatcher.send_all()
        while not stopping():
            try:
                self.turn(_take(self.until_tick))
            except rows.TRANSIENT as error:
                log.warning("the database does not answer; trying again", error=str(error))
                self._reconnect(stopping)
        lease.release(self.epoch)

    def _reconnect(self, stopping: Callable[[], bool]) -> None:
        while not stopping():
            watchdog.get_on("connect")
            try:
                connection.close()
                self._prepare()
                return
            except rows.TRANSIENT:
                time.sleep(0.2)

    def _prepare(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(rows.LEADER_SETTINGS)
        if incarnation.recognise():
            log.error("the database is a copy that was put back: all agents begin new sessions")
            raise LeaseLost
        self._hangs.judge(epoch=self.epoch)
        self._listening_since = self._clock.monotonic()

    def turn(self, arrived: list[Message]) -> None:
        """Do what the arrived messages and the clock ask for."""
        reports = [item for item in arrived if isinstance(item, Report)]
        heartbeats = [item for item in arrived if isinstance(item, Heartbeat)]
        self.handle(reports, heartbeats, asked=Hint.STOP in arrived or not arrived, answered=Hint.CHECKPOINT in arrived)

    def enter(self, step: str) -> None:
        """Tell the watchdog which step is next."""
        watchdog.get_on(step)

    def attempt(self, step: str, work: Callable[[], None]) -> None:
        """Do a step of the tick; one that fails is tried again with the next tick, and keeps no other from its turn."""
        self.enter(step)
        try:
            work()
        except Exception as error:
            raise_if_blameless(error)
            log.exception("a step of the tick failed", step=step)

    def tick(self) -> None:
        """Look after what no message says, and after what is beside the main path."""
        self.enter("listen")
        self._listen()
        super().tick()
        self.attempt("expire", lambda: deadlines.expire_jobs(epoch=self.epoch))
        self.attempt("users", self._keep_users)
        self.attempt("record", self._memory.recorder.write)
        self.attempt("survey", lambda: self.surveyor.step(self._memory.tally, epoch=self.epoch))
        self.attempt("hangs", self._hangs.step)
        self.attempt("plans", self.planner.step)
        self.attempt("upkeep", lambda: self.upkeep.step(self._clock.now()))

    def apply(self, reports: Sequence[Report]) -> list[Applied]:
        """Apply reports, and return what came of each part that was applied as one."""
        blaming = self.listening > LOST
        applying = Applying(self._memory, self.confirm, self._clock, epoch=self.epoch, blaming=blaming)
        return applying.run(self._hangs.admit(reports))

    def hear(self, beats: Sequence[Heartbeat]) -> set[str]:
        """Note signs of life; return the sessions that are their nodes'."""
        self._memory.tally.heartbeats += len(beats)
        return lost_nodes.hear([(beat.node, beat.session, json.dumps(kept_figures(beat.figures))) for beat in beats])

    def differ(self, beats: Sequence[Heartbeat], found: Sequence[Difference]) -> list[Difference]:
        """Note what heartbeats say; return the differences to act on."""
        lasting = reconciliation.act_on(found)
        reconciliation.note_conditions(beats, lasting)
        return lasting

    def give_up(self, difference: Difference) -> None:
        """Give up what an agent lacks."""
        reconciliation.give_up(difference, epoch=self.epoch)

    def stop(self) -> Stopped:
        """Stop, suspend and drain the jobs that are to be."""
        stopped = stopping.stop_jobs(epoch=self.epoch)
        self.dispatcher.forget(stopped.deprived)
        if stopped.more:
            inbox.put(Hint.STOP)
        return stopped

    def place(self) -> Round:
        """Place as many tasks as there is room for."""
        begun = self._clock.monotonic()
        placed = placing.place_pending(self._memory, epoch=self.epoch, at=begun, ask=self.dispatcher.ask)
        seconds = self._clock.monotonic() - begun
        if placed.more:
            inbox.put(Hint.PLACE)
        log.debug("round", seconds=seconds, assignments=len(placed.assignments))
        if placed.assignments or placed.refused:
            self._memory.recorder.add(Figure.Name.ROUND, seconds)
            tasks = sum(len(assignment.listed) for assignment in placed.assignments)
            self._memory.recorder.add(Figure.Name.PLACEMENTS, 0, count=tasks)
            self._memory.tally.place(len({assignment.node for assignment in placed.assignments}))
        return placed

    def checkpoint(self) -> Asked:
        """End and begin checkpoints; return which running tasks are asked for their states, by session."""
        try:
            asked = checkpoints.step(RECORDS, CHECKPOINTS, epoch=self.epoch)
        except Exception as error:
            raise_if_blameless(error)
            log.exception("checkpoints can neither begin nor end")
            asked = {}
        self.attempt("savepoints", lambda: savepoints.step(RECORDS, SAVEPOINTS, epoch=self.epoch))
        return asked

    def unconfirmed_cancels(self) -> dict[str, list[list[Any]]]:
        """Return what agents were told to end and have not confirmed, by session."""
        return stopping.unconfirmed_cancels().cancels

    def unconfirmed_pauses(self) -> dict[str, int]:
        """Return the epoch of the pause that each session has yet to confirm."""
        return pauses.unconfirmed_pauses()

    def sessions(self) -> set[str]:
        """Return the sessions that there are."""
        return selectors.sessions()

    def note_deaf(self, deaf: Collection[str], waiting: Collection[str]) -> bool:
        """Mark the nodes of deaf sessions, and unmark those not `waiting`; return whether some are marked."""
        return deafness.note(deaf, waiting, epoch=self.epoch)

    def refuse(self, nodes: Collection[int], why: str) -> None:
        """Have the agents of nodes begin new sessions."""
        log.error("agents are to begin new sessions", nodes=sorted(nodes), epoch=self.epoch, why=why)
        trust.refuse(nodes, why)

    def release_due(self) -> None:
        """Let tasks be placed whose backoff is over."""
        deadlines.release_due(epoch=self.epoch)

    def watch_nodes(self) -> None:
        """Mark nodes silent or heard again, and end the sessions that are over."""
        lost_nodes.watch_nodes(listening=self.listening, epoch=self.epoch)

    def end_operations(self) -> None:
        """End the operations whose targets or deadlines say so."""
        operations.settle(RECORDS, epoch=self.epoch)

    def read_database_clock(self) -> float:
        """Return the database's time, in seconds."""
        return clocks.read()

    def move_times(self, step: float) -> None:
        """Move what is waited for along with the database's clock, which was set by so many seconds."""
        clocks.move(step)

    def renew_lease(self) -> None:
        """Make the lease last again; raise LeaseLost if another leads."""
        lease.renew(self.epoch, None if self._heard is Hearing.UNKNOWN else self._heard)

    def _listen(self) -> None:
        """Look whether messages reach this process; one that they do not reach must not lead."""
        heard = self._hearing()
        if heard is Hearing.DEAF:
            lease.release(self.epoch, heard)
            raise lease.Deaf
        self.dispatcher.mute = heard in (Hearing.REFUSED, Hearing.LOCKED_OUT)
        if heard is not self._heard:
            self._heard = heard
            self.renew()

    def _keep_users(self) -> None:
        if not self.dispatcher.mute:
            self._users.keep()


def _take(seconds: float) -> list[Message]:
    """Wait for something to arrive, at most so long, and take all that is there."""
    try:
        arrived = [inbox.get(timeout=max(seconds, 0.001))]
    except Empty:
        return []
    while True:
        try:
            arrived.append(inbox.get_nowait())
        except Empty:
            return arrived
