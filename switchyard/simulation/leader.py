"""The leader's steps on records in memory; what it does when, and what it sends, is the leader's own core."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from switchyard.leader.ports import Ports
from switchyard.leader.reconciliation import Difference
from switchyard.leader.turns import Turns
from switchyard.messaging.messages import Heartbeat, Report
from switchyard.scheduling.lifecycle import (
    apply_reports,
    checkpoints,
    draining,
    due_retries,
    lost_nodes,
    operations,
    placing,
    stopping,
)
from switchyard.scheduling.lifecycle.apply_reports import Applied
from switchyard.scheduling.lifecycle.checkpoints import Asked
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.stopping import Stopped
from switchyard.simulation.database import Database, LeaderRecords
from switchyard.simulation.memory.checkpoints import MemoryCheckpoints


class Leader(Turns):
    """Leads in one epoch."""

    def __init__(self, database: Database, epoch: int, ports: Ports, *, differs: Callable[[Difference], None]) -> None:
        super().__init__(epoch, ports)
        self.records = LeaderRecords(database, epoch)
        self._database = database
        self._store = database.store
        self._differs = differs
        self._memo = Memo()
        self._checkpoints = MemoryCheckpoints(database.store)

    def enter(self, step: str) -> None:
        return

    def apply(self, reports: Sequence[Report]) -> list[Applied[Report]]:
        blaming = self.listening > lost_nodes.LOST
        applied = apply_reports.apply(self.records, reports, self._memo.measures, epoch=self.epoch, blaming=blaming)
        self.confirm(reports, applied)
        return [applied]

    def hear(self, beats: Sequence[Heartbeat]) -> set[str]:
        heard = set()
        for beat in beats:
            node = self._store.nodes[beat.node]
            if node.session == beat.session and node.active:
                self._store.nodes[beat.node] = replace(node, heard_at=self._store.now)
                self._database.register(beat.node, fault=beat.figures.get("fault", ""), broker_away=False)
                heard.add(beat.session)
        return heard

    def differ(self, beats: Sequence[Heartbeat], found: Sequence[Difference]) -> Sequence[Difference]:
        if self.epoch == self._store.epoch:
            for difference in found:
                self._differs(difference)
        return found

    def give_up(self, difference: Difference) -> None:
        lost_nodes.give_up(self.records, difference.node, difference.session, difference.missing, epoch=self.epoch)

    def stop(self) -> Stopped:
        jobs = self.records.stopping_jobs()
        stopped = stopping.stop(self.records, jobs.ending, epoch=self.epoch) if jobs.ending else Stopped()
        if jobs.suspending:
            stopping.suspend(self.records, jobs.suspending, stopped, epoch=self.epoch)
        if jobs.draining:
            draining.drain(self.records, jobs.draining, stopped, epoch=self.epoch)
        self.dispatcher.forget(stopped.deprived)
        return stopped

    def place(self) -> Round:
        self._note_available()
        now = self._clock.monotonic()
        return placing.place(self.records, self._memo, epoch=self.epoch, at=now, ask=self.dispatcher.ask)

    def checkpoint(self) -> Asked:
        return checkpoints.step(self.records, self._checkpoints, epoch=self.epoch)

    def unconfirmed_cancels(self) -> Mapping[str, list[list[Any]]]:
        return stopping.unconfirmed_cancels(self.records).cancels

    def unconfirmed_pauses(self) -> dict[str, int]:
        return {
            node.session: node.pause_epoch
            for id_, node in self._store.nodes.items()
            if node.session and node.pause_epoch > node.confirmed_pause and self._database.registrations[id_].paused
        }

    def sessions(self) -> set[str]:
        return {node.session for node in self._store.nodes.values() if node.session}

    def note_deaf(self, deaf: Collection[str], waiting: Collection[str]) -> bool:
        for id_, node in self._store.nodes.items():
            was_deaf = self._database.registrations[id_].deaf
            self._database.register(id_, deaf=node.session in deaf or (was_deaf and node.session in waiting))
        return any(known.deaf for known in self._database.registrations.values())

    def refuse(self, nodes: Collection[int], why: str) -> None:
        for node in nodes:
            self._database.refuse(node)

    def release_due(self) -> None:
        due_retries.release(self.records, epoch=self.epoch)

    def watch_nodes(self) -> None:
        lost_nodes.watch(self.records, listening=self.listening, epoch=self.epoch)

    def end_operations(self) -> None:
        operations.settle(self.records, epoch=self.epoch)

    def read_database_clock(self) -> float:
        return self._store.now

    def move_times(self, step: float) -> None:
        self._database.move_times(step)

    def renew_lease(self) -> None:
        if not self._database.renew(self.epoch):
            raise LeaseLost

    def _note_available(self) -> None:
        """Say why nodes take no new work."""
        for id_, node in self._store.nodes.items():
            known = self._database.registrations[id_]
            words = {"paused": known.paused, "taking no commands": known.deaf, "cut off": known.broker_away}
            why = next((word for word, holds in words.items() if holds), None) or known.fault or None
            if why != node.unavailable:
                self._store.nodes[id_] = replace(node, unavailable=why)
