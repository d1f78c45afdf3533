"""The leader: what one process does while it holds the lease. It applies the rules to the records, and sends commands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from switchyard.leader.dispatch import Dispatcher
from switchyard.leader.ports import Ports
from switchyard.messaging.messages import Heartbeat, Report
from switchyard.scheduling.lifecycle import apply_reports, draining, due_retries, lost_nodes, placing, stopping
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.simulation.comparing import Comparison, Difference
from switchyard.simulation.database import Database, LeaderRecords

#: Seconds between ticks, and between renewals of the lease.
TICK, RENEW = 1.0, 3.0
#: Seconds without a turn after which silence is counted anew; and within which a lost report has been sent again.
STALL, PATIENCE = 5.0, 20.0
#: Seconds by which the database's clock may run away from this process's own between two ticks.
DRIFT = 2.0


class Leader:
    """Leads in one epoch. All that it remembers may be lost at any time."""

    def __init__(
        self,
        database: Database,
        epoch: int,
        ports: Ports,
        *,
        differs: Callable[[Difference], None],
    ) -> None:
        self.epoch = epoch
        self.records = LeaderRecords(database, epoch)
        self._database = database
        self._store = database.store
        self._monotonic = ports.clock.monotonic
        self._differs = differs
        self._dispatcher = Dispatcher(epoch, ports)
        self._comparison = Comparison()
        self._memo = Memo()
        self._gaps: dict[int, float] = {}
        self._listening_since = self._turned = self._renewed = self._monotonic()
        self._ticked = float("-inf")
        self._clock: tuple[float, float] | None = None

    def begin(self) -> None:
        """Send all lists, since what was sent before is not known."""
        self._dispatcher.send_all()

    def turn(self, reports: Sequence[Report], beats: Sequence[Heartbeat], *, hinted: bool) -> None:
        """Do what arrived messages and the clock ask for."""
        now = self._monotonic()
        if now - self._turned > STALL:
            self._listening_since = now
        self._turned = now
        applied = self._apply(reports)
        heard = self._hear(beats)
        surplus = self._compare([beat for beat in beats if beat.session in heard])
        due = now - self._ticked >= TICK
        stopped = self._stop() if due or hinted or applied.stopping else stopping.Stopped()
        self._note_available()
        placed = placing.place(self.records, self._memo, epoch=self.epoch, at=now, ask=self._dispatcher.ask)
        cancels = stopping.unconfirmed_cancels(self.records).cancels if applied.recalled else stopped.cancels
        self._dispatcher.dispatch(
            placed.assignments,
            placed.described,
            {report.session for report in reports} | heard,
            _merged(cancels, surplus),
            recalls=stopped.recalls,
        )
        if due:
            self._tick(now)

    def _apply(self, reports: Sequence[Report]) -> apply_reports.Applied[Report]:
        if not reports:
            return apply_reports.Applied()
        blaming = self._listening > lost_nodes.LOST
        applied = apply_reports.apply(self.records, reports, self._memo.measures, epoch=self.epoch, blaming=blaming)
        for report in reports:
            self._dispatcher.confirm(report.session, report.seen, applied.acknowledged.get(report.node, 0))
            if report.node in applied.gaps:
                self._gaps.setdefault(report.node, self._monotonic())
            else:
                self._gaps.pop(report.node, None)
        return applied

    def _hear(self, beats: Sequence[Heartbeat]) -> set[str]:
        """Note signs of life; return the sessions that are their nodes'."""
        heard = set()
        for beat in beats:
            if beat.figures.get("inventory", {}).get("command", 0) >> 32 > self.epoch:
                self._database.refuse(beat.node)
            node = self._store.nodes[beat.node]
            if node.session == beat.session and node.active:
                self._store.nodes[beat.node] = replace(node, heard_at=self._store.now)
                self._database.register(beat.node, fault=beat.figures.get("fault", ""), broker_away=False)
                self._dispatcher.hear(beat.session, beat.number)
                heard.add(beat.session)
        return heard

    def _compare(self, beats: Iterable[Heartbeat]) -> dict[str, list[list[Any]]]:
        """Give up what agents lack; return what they have beyond their lists, by session."""
        surplus: dict[str, list[list[Any]]] = {}
        for beat in beats:
            if beat.figures["inventory"]["reported"] < self._store.nodes[beat.node].last_report:
                continue  # It is late: what its agent has confirmed and reported since is not in it.
            listed = [row for row in self._listed() if row.session == beat.session]
            found = self._comparison.compare(beat, listed, self._dispatcher.unconfirmed())
            if found and found.missing:
                lost_nodes.give_up(self.records, found.node, found.session, found.missing, epoch=self.epoch)
            if found and self.epoch == self._store.epoch:
                self._differs(found)
            if found and found.extra:
                surplus[beat.session] = [[*key, tasks.to_json()] for key, tasks in found.extra.items()]
        return surplus

    def _stop(self) -> stopping.Stopped:
        jobs, drains = self.records.stopping_jobs()
        stopped = stopping.stop(self.records, jobs, epoch=self.epoch) if jobs else stopping.Stopped()
        if drains:
            draining.drain(self.records, drains, stopped, epoch=self.epoch)
            self._dispatcher.forget(stopped.deprived)
        return stopped

    def _tick(self, now: float) -> None:
        self._ticked = now
        self._dispatcher.keep({node.session for node in self._store.nodes.values() if node.session})
        due_retries.release(self.records, epoch=self.epoch)
        self._step_gaps(now)
        self._follow_clock(now)
        lost_nodes.watch(self.records, listening=self._listening, epoch=self.epoch)
        self._resend()
        if now - self._renewed >= RENEW:
            if not self._database.renew(self.epoch):
                raise LeaseLost
            self._renewed = now

    def _step_gaps(self, now: float) -> None:
        for node, since in list(self._gaps.items()):
            if now - since >= PATIENCE:
                del self._gaps[node]
                self._database.refuse(node)

    def _follow_clock(self, now: float) -> None:
        """Move what is waited for along with the database's clock when that is set."""
        clock = self._store.now
        if self._clock:
            step = clock - self._clock[0] - (now - self._clock[1])
            if abs(step) > DRIFT:
                self._database.move_times(step)
        self._clock = clock, now

    def _resend(self) -> None:
        cancels = stopping.unconfirmed_cancels(self.records).cancels
        pauses = {
            node.session: node.pause_epoch
            for id_, node in self._store.nodes.items()
            if node.session and node.pause_epoch > node.confirmed_pause and self._database.registrations[id_].paused
        }
        self._dispatcher.resend(self._monotonic(), cancels, pauses)

    def _note_available(self) -> None:
        """Say why nodes take no new work."""
        for id_, node in self._store.nodes.items():
            known = self._database.registrations[id_]
            words = {"paused": known.paused, "cut off": known.broker_away}
            why = next((word for word, holds in words.items() if holds), None) or known.fault or None
            if why != node.unavailable:
                self._store.nodes[id_] = replace(node, unavailable=why)

    def _listed(self) -> list[Any]:
        return sorted(self._store.assignments.values(), key=lambda row: (row.node, row.entry))

    @property
    def _listening(self) -> float:
        """For how many seconds nodes could be heard."""
        return self._monotonic() - self._listening_since


def _merged(cancels: Mapping[str, list[Any]], more: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {session: [*cancels.get(session, []), *more.get(session, [])] for session in sorted({*cancels, *more})}
