"""The loop of the scheduler that holds the lease. All decisions of the main path are taken here."""

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
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
    rollback,
    stopping,
    watchdog,
)
from jobs.leader.agent_reports import Applied
from jobs.leader.bisect import hold, isolate, raise_if_blameless
from jobs.leader.clock import CLOCK
from jobs.leader.descriptions import StoredDescriptions
from jobs.leader.housekeeping import Upkeep
from jobs.leader.lists import StoredLists
from jobs.leader.memory import Memory
from jobs.leader.outbox import Broker
from jobs.leader.snapshot import Surveyor
from jobs.leader.turn_reports import Applying
from jobs.models import Figure
from jobs.store.records import RECORDS
from nodes import broker, selectors
from switchyard.leader.dispatch import DEAF, Dispatcher
from switchyard.leader.ports import Clock, Outbox, Ports
from switchyard.messaging.consumer import Hearing
from switchyard.messaging.messages import Heartbeat, Report, kept_figures
from switchyard.scheduling.lifecycle import draining
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.stopping import Stopped

log = structlog.get_logger()
TICK = 1.0
#: Seconds of not having listened after which silence is counted anew.
STALL = 5.0


class Leader:
    """Works while it holds the lease; raises LeaseLost when another took over."""

    def __init__(
        self,
        epoch: int,
        *,
        clock: Clock = CLOCK,
        hearing: Callable[[], Hearing] = lambda: Hearing.WHOLE,
        outbox: Outbox | None = None,
    ) -> None:
        self.epoch = epoch
        self._clock = clock
        self.dispatcher = Dispatcher(epoch, Ports(clock, outbox or Broker(), StoredLists(), StoredDescriptions()))
        self.upkeep = Upkeep(clock.now())
        self.surveyor = Surveyor(clock)
        self._gaps = rollback.Gaps(clock)
        self._hangs = hangs.Hangs(clock)
        self._database_clock = clocks.DatabaseClock(clock)
        self._reconciler = reconciliation.Reconciler()
        self._users = broker.Users()
        self._hearing = hearing
        self._heard = Hearing.UNKNOWN
        self._some_deaf = True
        self._memory = Memory()
        self._renewed = self._turned = self._listening_since = self._clock.monotonic()
        self._ticked = 0.0
        self._prepare()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Work until told to stop, then give the lease back. An outage of the database is waited out."""
        self.dispatcher.send_all()
        while not stopping():
            try:
                self.turn(_take(self._ticked + TICK - self._clock.monotonic()))
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
        watchdog.get_on(hangs.REPORTS)
        now = self._clock.monotonic()
        if now - self._turned > STALL:
            self._listening_since = now
        self._turned = now
        reports = [item for item in arrived if isinstance(item, Report)]
        heartbeats = [item for item in arrived if isinstance(item, Heartbeat)]
        applied = self._apply(self._hangs.admit(reports))
        watchdog.get_on("heartbeats")
        heard = self._hear(heartbeats) if heartbeats else set()
        surplus = self._reconcile([beat for beat in heartbeats if beat.session in heard]) if heard else {}
        due = now - self._ticked >= TICK
        asked = due or Hint.STOP in arrived or not arrived
        watchdog.get_on(hangs.STOP)
        stopped = self._stop() if asked or any(part.stopping for part in applied) else Stopped()
        watchdog.get_on("place")
        placed = self._place()
        watchdog.get_on("dispatch")
        self.dispatcher.dispatch(
            placed.assignments,
            placed.described,
            [*{item.session for item in reports} | heard],
            _merged(
                stopping.unconfirmed_cancels().cancels if any(part.recalled for part in applied) else stopped.cancels, surplus
            ),
            recalls=stopped.recalls,
        )
        if due:
            self.tick()

    def _stop(self) -> Stopped:
        stopped = stopping.stop_jobs(epoch=self.epoch)
        if stopped.draining:
            isolate(stopped.draining, lambda part: draining.drain(RECORDS, part, stopped, epoch=self.epoch), hold)
            self.dispatcher.forget(stopped.deprived)
        if stopped.more:
            inbox.put(Hint.STOP)
        return stopped

    def _place(self) -> Round:
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

    def tick(self) -> None:
        """Look after what no message tells, and renew the lease: a loop that hangs loses it."""
        now = self._ticked = self._clock.monotonic()
        watchdog.get_on("tick")
        self._listen()
        self.dispatcher.keep(selectors.sessions())
        self._note_deaf(now)
        _step("release", lambda: deadlines.release_due(epoch=self.epoch))
        _step("expire", lambda: deadlines.expire_jobs(epoch=self.epoch))
        _step("gaps", self._gaps.step)
        _step("clock", self._database_clock.follow)
        _step("watch", lambda: lost_nodes.watch_nodes(listening=self._listening, epoch=self.epoch))
        _step("users", self._keep_users)
        _step("resend", lambda: self._resend(now))
        if now - self._renewed >= lease.RENEWED_EVERY:
            self._renew()
        _step("record", self._memory.recorder.write)
        _step("survey", lambda: self.surveyor.step(self._memory.tally, epoch=self.epoch))
        _step("hangs", self._hangs.step)
        _step("upkeep", lambda: self.upkeep.step(self._clock.now()))

    def _resend(self, now: float) -> None:
        self.dispatcher.resend(now, stopping.unconfirmed_cancels().cancels, pauses.unconfirmed_pauses())

    def _keep_users(self) -> None:
        if not self.dispatcher.mute:
            self._users.keep()

    def _listen(self) -> None:
        """Look whether messages reach this process; one that they do not reach must not lead."""
        heard = self._hearing()
        if heard is Hearing.DEAF:
            lease.release(self.epoch, heard)
            raise lease.Deaf
        self.dispatcher.mute = heard in (Hearing.REFUSED, Hearing.LOCKED_OUT)
        if heard is not self._heard:
            self._heard = heard
            self._renew()

    def _note_deaf(self, now: float) -> None:
        """Mark the nodes that do not take their commands, once this process has listened for long enough to tell."""
        deaf = self.dispatcher.deaf(now) if self._listening > DEAF else set()
        if deaf or self._some_deaf:
            self._some_deaf = deafness.note(deaf, self.dispatcher.waiting(), epoch=self.epoch)

    def _renew(self) -> None:
        lease.renew(self.epoch, None if self._heard is Hearing.UNKNOWN else self._heard)
        self._renewed = self._clock.monotonic()

    @property
    def _listening(self) -> float:
        """For how many seconds what happened to nodes could be heard."""
        return self._clock.monotonic() - self._listening_since

    def _apply(self, reports: list[Report]) -> list[Applied]:
        """Apply reports, and return what came of each part that was applied as one."""
        blaming = self._listening > LOST
        applying = Applying(self._memory, self._gaps, self.dispatcher, self._clock, epoch=self.epoch, blaming=blaming)
        return applying.run(reports) if reports else []

    def _reconcile(self, heartbeats: list[Heartbeat]) -> dict[str, list[list[Any]]]:
        """Give up what agents do not have any more; return what they have beyond their lists and must end, by session."""
        lasting = self._reconciler.compare(heartbeats, self.dispatcher.unconfirmed())
        reconciliation.note_conditions(heartbeats, lasting)
        for difference in lasting:
            if difference.missing:
                _step(reconciliation.GIVE_UP, partial(reconciliation.give_up, difference, epoch=self.epoch))
        return {
            each.session: [[stage, attempt, tasks.to_json()] for (stage, attempt), tasks in each.extra.items()]
            for each in lasting
            if each.extra
        }

    def _hear(self, heartbeats: list[Heartbeat]) -> set[str]:
        """Note signs of life, and return the sessions that are to be told of it."""
        self._memory.tally.offers += len(heartbeats)
        rollback.ahead(heartbeats, self.epoch)
        heard = lost_nodes.hear([(beat.node, beat.session, json.dumps(kept_figures(beat.figures))) for beat in heartbeats])
        for beat in heartbeats:
            if beat.session in heard:
                self.dispatcher.hear(beat.session, beat.number)
        return heard


def _merged(cancels: Mapping[str, list[list[Any]]], more: Mapping[str, list[list[Any]]]) -> Mapping[str, list[list[Any]]]:
    return {session: [*cancels.get(session, []), *more.get(session, [])] for session in {*cancels, *more}}


def _step(name: str, work: Callable[[], None]) -> None:
    """Do a step of the tick; one that fails is tried again with the next tick, and keeps no other from its turn."""
    watchdog.get_on(name)
    try:
        work()
    except Exception as error:
        raise_if_blameless(error)
        log.exception("a step of the tick failed", step=name)


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
