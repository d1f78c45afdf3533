"""The database: the records in memory, who leads, what is known of agents' registrations, and a clock that can be set."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from switchyard.leader.lease import LASTS
from switchyard.simulation.broken import Broken
from switchyard.simulation.killed import Killed
from switchyard.simulation.memory.records import MemoryRecords
from switchyard.simulation.memory.store import Store
from switchyard.simulation.timeline import Timeline

#: The time at the start of a run, in seconds since the epoch.
START = 1e9
#: What falls back when commits are lost.
TABLES = (
    *("jobs", "types", "stages", "tasks", "items", "assignments", "nodes", "operations", "edges", "attempts", "epoch"),
    *("checkpoints", "saved_states"),
)


@dataclass(frozen=True, slots=True)
class Registration:
    """What is known of the agent of a node, beside the node's row."""

    secret: str = ""
    predecessor: str = ""
    paused: bool = False
    fault: str = ""
    broker_away: bool = False
    deaf: bool = False


class Tables(Store):
    """The store, whose time is the database's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        super().__init__()

    @property
    def now(self) -> float:
        return self._clock()

    @now.setter
    def now(self, _: float) -> None:
        return


class Database:
    """All that outlives processes, but for what agents keep on their disks."""

    def __init__(self, timeline: Timeline, committed: Callable[[], None]) -> None:
        self.store = Tables(self.clock)
        self.registrations: dict[int, Registration] = {}
        self.holder, self.expires_at = "", 0.0
        self._offset = START
        self._timeline = timeline
        self._committed = committed
        self._kept: dict[str, Any] | None = None

    def clock(self) -> float:
        """Return the database's time, in seconds since the epoch."""
        return self._offset + self._timeline.now

    def set_clock(self, seconds: float) -> None:
        """Set the clock by so many seconds."""
        self._offset += seconds

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written meanwhile, for good; or nothing of it where an error is raised."""
        with self.store.transaction():
            yield
        if self._kept:
            self.keep()
        self.commit()

    def commit(self) -> None:
        """Note that something was written."""
        self._committed()

    def register(self, node: int, **changes: Any) -> None:
        """Change what is known of a node's agent."""
        self.registrations[node] = replace(self.registrations.get(node, Registration()), **changes)

    def refuse(self, node: int) -> None:
        """Trust the agent of a node no more, until it begins a new session."""
        self.store.nodes[node] = replace(self.store.nodes[node], active=False)

    def move_times(self, step: float) -> None:
        """Move what is waited for along with the clock, which was set by so many seconds."""
        store = self.store
        for id_, node in store.nodes.items():
            store.nodes[id_] = replace(node, heard_at=node.heard_at + step)
        for number, operation in store.operations.items():
            if operation.ended is None:
                store.operations[number] = replace(operation, deadline=operation.deadline + step)
        for id_, checkpoint in store.checkpoints.items():
            if checkpoint.ended_at is None:
                store.checkpoints[id_] = replace(checkpoint, triggered_at=min(checkpoint.triggered_at + step, store.now))
        for stage_id, stage in store.stages.items():
            if not stage.row.ended and stage.row.next_due is not None:
                store.stages[stage_id] = replace(stage, row=replace(stage.row, next_due=stage.row.next_due + step))
                for index in stage.row.delayed:
                    task = store.tasks[stage_id, index]
                    store.tasks[stage_id, index] = replace(task, not_before=(task.not_before or 0.0) + step)

    def take_lease(self, holder: str) -> int | None:
        """Take the lease if it is free, and return the new epoch."""
        if self.expires_at >= self.clock():
            return None
        self.holder, self.expires_at = holder, self.clock() + LASTS
        with self.transaction():
            return self.store.take_lease()

    def renew(self, epoch: int) -> bool:
        """Make the lease last again; return whether this epoch still leads."""
        if epoch == self.store.epoch:
            self.expires_at = self.clock() + LASTS
        return epoch == self.store.epoch

    def keep(self) -> None:
        """Remember what is on the disk for certain: what is committed by now, and nothing that leaders commit from now on."""
        self._kept = {name: _copy(getattr(self.store, name)) for name in TABLES}

    def lose(self) -> bool:
        """Fall back to what is on the disk for certain; return whether that was less."""
        kept, self._kept = self._kept, None
        if kept is None:
            return False
        lost = any(getattr(self.store, name) != value for name, value in kept.items())
        for name, value in kept.items():
            setattr(self.store, name, value)
        return lost


class LeaderRecords(MemoryRecords):
    """The records as one leader's process reaches them. It may be killed right before or after a change."""

    def __init__(self, database: Database, epoch: int) -> None:
        super().__init__(database.store)
        self.kill_before_commit = self.kill_after_commit = False
        self._database = database
        self._epoch = epoch

    @contextmanager
    def transaction(self) -> Iterator[None]:
        before = self._state()
        with self.store.transaction():
            yield
            changed = before != self._state()
            if self.kill_before_commit and changed:
                raise Killed
        if self._epoch != self.store.epoch and changed:
            raise Broken("I11", f"a leader of epoch {self._epoch} writes in epoch {self.store.epoch}")
        self._database.commit()
        if self.kill_after_commit and changed:
            raise Killed

    def _state(self) -> list[dict[Any, Any]]:
        """Return all that a leader alone changes."""
        store = self.store
        reports = {node.id: (node.session, node.last_report) for node in store.nodes.values()}
        return [dict(store.tasks), dict(store.assignments), dict(store.stages), reports, dict(store.checkpoints)]


def _copy(table: Any) -> Any:
    return table.copy() if hasattr(table, "copy") else table
