"""The web: what agents ask over HTTP, and what people ask for. Each question is one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import requests
from switchyard.scheduling.lifecycle.operations import Kind, Request
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.spec.types import JobSpec, StageSpec
from switchyard.simulation import describing
from switchyard.simulation.database import Database
from switchyard.simulation.memory import states
from switchyard.simulation.memory.checkpoints import MemoryCheckpoints
from switchyard.simulation.memory.records import MemoryRecords
from switchyard.simulation.memory.rows import StateRecord
from switchyard.simulation.network import Refused, SessionEnded
from switchyard.simulation.truth import Restored, Snapshot

#: Seconds within which a checkpoint that was asked for has ended.
OPERATION_SECONDS = 70.0


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a registration."""

    node: int
    session: str
    secret: str
    resumed: bool
    last_report: int
    pause: int


class Server:
    """Answers from the database."""

    def __init__(self, database: Database, random: Random) -> None:
        self._database = database
        self._store = database.store
        self._records = MemoryRecords(database.store)
        self._random = random
        self._checkpoints = MemoryCheckpoints(database.store)
        #: The last state that a task may go on from.
        self.least: Callable[[int, int], Snapshot | None] = lambda *_: None
        self._nodes: dict[str, int] = {}
        #: What was submitted, by stage.
        self.specs: dict[int, StageSpec] = {}
        #: How many jobs may run at once.
        self.most: int | None = None
        #: The jobs that were accepted.
        self.submitted: list[UUID] = []

    def register(self, name: str, totals: Mapping[str, int], last: str, *, secret: str, last_secret: str) -> Registered:
        """Give the agent of a node a session; it may go on with its last one."""
        id_ = self._nodes.setdefault(name, len(self._nodes) + 1)
        with self._database.transaction():
            known, old = self._store.nodes.get(id_), self._database.registrations.get(id_)
            resumed = False
            if known and old and last and known.active and old.secret in (secret, last_secret):
                resumed = last == known.session or (old.secret == secret and last == old.predecessor)
            session = f"{name}/{self._random.getrandbits(32):08x}"
            self._store.register(id_, name, session, totals)
            self._store.nodes[id_] = replace(self._store.nodes[id_], active=True, left=False)
            if resumed and known:
                kept = {"last_report": known.last_report, "silent_since": known.silent_since}
                self._store.nodes[id_] = replace(self._store.nodes[id_], **kept)  # type: ignore[arg-type]
                for row in list(self._store.assignments.values()):
                    if row.node == id_ and row.session == known.session:
                        self._store.assignments[row.id] = replace(row, session=session)
            begun = {"secret": secret, "predecessor": last if resumed else ""}
            self._database.register(id_, **begun, fault="", broker_away=False, deaf=False)
        node = self._store.nodes[id_]
        return Registered(id_, session, secret, resumed, node.last_report, node.confirmed_pause)

    def heartbeat(self, beat: Mapping[str, Any]) -> int:
        """Note a sign of life; return its number. Raises SessionEnded if the session is not the node's, or not trusted."""
        id_, figures = int(beat["node"]), beat["figures"]
        node, left = self._store.nodes[id_], bool(figures.get("left"))
        if node.session != beat["session"] or not (node.active or left):
            raise SessionEnded
        with self._database.transaction():
            self._store.nodes[id_] = replace(node, heard_at=self._store.now, left=node.left or left)
            self._database.register(id_, fault=figures.get("fault", ""), broker_away=figures.get("broker") == "away")
        return int(beat["number"])

    def description(self, node: int, secret: str, stage: int) -> dict[str, Any]:
        """Return what an agent asks for of a stage."""
        self._require(node, secret, stage)
        return self.describe(stage)

    def describe(self, stage: int) -> dict[str, Any]:
        """Return what agents are told of a stage."""
        return describing.describe(self._store, stage, self.specs[stage])

    def inputs(self, node: int, secret: str, stage: int, asked: Mapping[int, IndexSet]) -> dict[int, dict[str, Any]]:
        """Return what a stage gets from some tasks of others, as far as these have ended."""
        self._require(node, secret, stage)
        return {producer: describing.outcomes(self._store, producer, tasks) for producer, tasks in asked.items()}

    def keep_states(
        self, node: int, secret: str, stage: int, checkpoint: int | None, kept: Sequence[StateRecord]
    ) -> IndexSet:
        """Keep states of tasks, and return of which."""
        self._require(node, secret, stage)
        with self._database.transaction():
            return states.keep(self._store, node, stage, checkpoint, kept)

    def states(self, node: int, secret: str, stage: int, low: int, high: int) -> dict[int, Restored]:
        """Return the states that a range of a stage's tasks go on from."""
        self._require(node, secret, stage)
        return {
            state.index: Restored(state.content, saved.checkpoint, self.least(stage, state.index))
            for saved, kept in states.last(self._store, stage, low, high)
            for state in kept
            if isinstance(state.content, Snapshot)
        }

    def checkpoint(self, job: UUID) -> None:
        """Ask for a checkpoint of a job, if it runs."""
        with self._database.transaction():
            if self._store.jobs[job].row.state is JobState.RUNNING:
                request = Request(Kind.CHECKPOINT, "somebody", OPERATION_SECONDS, job)
                self._checkpoints.request(job, self._records.request_operation(request))

    def submit(self, spec: JobSpec) -> UUID:
        """Store a job."""
        number = len(self.submitted) + 1
        id_ = UUID(int=number)
        stages = dict(enumerate(spec.in_order(), len(self.specs) + 1))
        self.specs |= stages
        with self._database.transaction():
            self._store.submit(id_, number, spec, list(stages))
            for kind, record in self._store.types.items():
                self._store.types[kind] = replace(record, max_running=self.most)
        self.submitted.append(id_)
        return id_

    def cancel(self, job: UUID) -> None:
        """Ask a job to stop."""
        with self._database.transaction():
            requests.cancel(self._records, job, "somebody")

    def drain(self, job: UUID) -> None:
        """Let a job end early."""
        with self._database.transaction():
            requests.drain(self._records, job, "somebody")

    def suspend(self, job: UUID) -> None:
        """Let nothing of a job run until it is resumed."""
        with self._database.transaction():
            requests.suspend(self._records, job, "somebody")

    def resume(self, job: UUID) -> None:
        """Let a suspended job go on."""
        with self._database.transaction():
            requests.resume(self._records, job, "somebody")

    def pause(self, id_: int, *, paused: bool) -> None:
        """Have nothing more begin on a node, or let it go on."""
        with self._database.transaction():
            node = self._store.nodes[id_]
            if paused:
                self._store.nodes[id_] = replace(node, pause_epoch=node.pause_epoch + 1)
            self._database.register(id_, paused=paused)

    def _require(self, node: int, secret: str, stage: int) -> None:
        if self._database.registrations[node].secret != secret:
            raise SessionEnded
        if not any(row.node == node and row.stage == stage for row in self._store.assignments.values()):
            raise Refused
