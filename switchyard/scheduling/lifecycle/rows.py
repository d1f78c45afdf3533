"""Rows as values: what a transaction of the leader reads, changes and writes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import (
    JOB_STARTABLE,
    JOB_SUSPENDED,
    JOB_TRANSITIONS,
    TASK_ENDS,
    Intent,
    JobState,
    TaskState,
)
from switchyard.scheduling.spec.types import Constraint

NOWHERE: frozenset[int] = frozenset()
#: How a job ends whose every stage has ended, by the state it is in by then.
ENDS = {
    JobState.CREATED: JobState.FINISHED,
    JobState.RUNNING: JobState.FINISHED,
    JobState.FAILING: JobState.FAILED,
    JobState.CANCELING: JobState.CANCELED,
    JobState.SUSPENDING: JobState.FINISHED,
}


@dataclass(slots=True)
class JobRow:
    """A job, locked."""

    id: UUID
    state: JobState
    stages_total: int
    stages_ended: int
    failures: int
    max_failures: int
    started: bool
    retry: str | None
    number: int
    intent: Intent
    error: str = ""
    #: Microseconds since the first of its tasks began, of those that are told of now.
    since: int = 0
    changed: bool = False

    @property
    def stopping(self) -> bool:
        """Say whether nothing more of it may start, ever."""
        return self.state not in JOB_STARTABLE | JOB_SUSPENDED

    @property
    def suspended(self) -> bool:
        """Say whether nothing more of it may start until it is resumed."""
        return self.state in JOB_SUSPENDED

    @property
    def draining(self) -> bool:
        """Say whether it is to end early."""
        return self.intent is Intent.DRAIN

    def want(self, intent: Intent) -> bool:
        """Note what people want of it, and return whether that is new and possible.

        Only what may start can drain or be suspended, a job that drains cannot be suspended, and only what is suspended
        can be resumed.
        """
        if intent is self.intent or not self._can(intent):
            return False
        self.intent, self.changed = intent, True
        if intent in (Intent.CANCEL, Intent.STOP):
            self.become(JobState.CANCELING)
        elif intent is Intent.SUSPEND:
            self.become(JobState.SUSPENDING)
        elif intent is Intent.RUN:
            self.become(JobState.RUNNING if self.started else JobState.CREATED)
        return True

    def _can(self, intent: Intent) -> bool:
        if intent is Intent.CANCEL:
            return JobState.CANCELING in JOB_TRANSITIONS[self.state]
        if intent is Intent.RUN:
            return self.suspended
        return self.state in JOB_STARTABLE and not (intent is Intent.SUSPEND and self.draining)

    def end(self) -> None:
        """Move to its end, as every stage has ended; one that is where no end follows stays there."""
        if self.intent is Intent.STOP and self.state is JobState.CANCELING:
            self.become(JobState.FINISHED)
        elif self.state in ENDS:
            self.become(ENDS[self.state])

    def fail(self, error: str) -> None:
        """Begin to fail, for this reason; the first reason stays."""
        if not self.stopping:
            self.become(JobState.FAILING)
            self.error = error

    def become(self, state: JobState) -> None:
        """Move to `state`; raise ValueError where the lifecycle does not allow it."""
        if state not in JOB_TRANSITIONS[self.state]:
            raise ValueError(f"a job cannot go from {self.state.name} to {state.name}")
        self.state, self.changed = state, True


@dataclass(slots=True, eq=False)
class StageRow:
    """A stage, with what placing and counting need."""

    id: int
    job_id: UUID
    parallelism: int
    open_needs: int
    feeds_pointwise: bool
    unplaced: IndexSet
    blocked: IndexSet
    delayed: IndexSet
    spent: IndexSet
    done: IndexSet
    counts: list[int]
    run_seconds: float
    demand: dict[str, int]
    started: bool
    ended: bool
    call: str
    name: str
    next_due: float | None
    gang: bool
    buffered: bool
    #: The nodes that cannot run it, as JSON text (lifecycle_rules.avoiding).
    avoided: str | None
    #: Whether its tasks hand on files.
    gives_files: bool
    #: As of a job.
    since: int = 0
    changed: bool = False

    @property
    def kind(self) -> tuple[UUID, str]:
        """What it shares with the stages of its job whose tasks run for as long: job and callable."""
        return self.job_id, self.call

    @property
    def ready(self) -> IndexSet:
        """The tasks that may be placed now."""
        return IndexSet() if self.open_needs else self.unplaced - self.blocked - self.delayed

    @property
    def excluded(self) -> frozenset[int]:
        """The nodes that cannot run it."""
        return frozenset(map(int, json.loads(self.avoided))) if self.avoided else NOWHERE

    @property
    def startable(self) -> bool:
        """Say whether tasks of it may be placed now; those of a gang may only all at once."""
        return len(self.ready) == self.parallelism if self.gang else bool(self.ready)

    @property
    def broken(self) -> bool:
        """Say whether it is a gang of which some members wait and others do not, or one has failed for good."""
        waiting = self.counts[TaskState.CREATED]
        return self.gang and not self.ended and (0 < waiting < self.parallelism or self.counts[TaskState.FAILED] > 0)

    @property
    def count_ended(self) -> int:
        return sum(self.counts[state] for state in TASK_ENDS)

    def move(self, before: TaskState, after: TaskState, indexes: IndexSet) -> None:
        """Count tasks that went from one state to another."""
        self.counts[before] -= len(indexes)
        self.counts[after] += len(indexes)
        if before == TaskState.CREATED:
            self.unplaced -= indexes
        if after == TaskState.CREATED:
            self.unplaced |= indexes
        if after in TASK_ENDS and self.feeds_pointwise:
            self._hand_on(indexes)
        self.changed = True

    def _hand_on(self, ended: IndexSet) -> None:
        """Note what consumers may use; of a gang nothing until it is whole, since it may be tried again."""
        if not self.gang:
            self.done |= ended
        elif self.count_ended == self.parallelism:
            self.done = IndexSet.span(0, self.parallelism)

    def spend(self, indexes: IndexSet) -> None:
        """Note tasks that are CREATED again after an attempt that began."""
        self.spent |= indexes
        self.changed = True

    def delay(self, indexes: IndexSet, due: float) -> None:
        """Keep tasks from being placed until a time (seconds since the epoch)."""
        self.delayed |= indexes
        self.next_due = min(due, self.next_due or due)
        self.changed = True


@dataclass(slots=True)
class AssignmentRow:
    """A run of alike entries of a node's list; `id` is 0 until it is written."""

    id: int
    node: int
    session: str
    entry: int
    stage: int
    attempt: int
    demand: dict[str, int]
    after: list[list[int]]
    listed: IndexSet
    held: IndexSet
    started: IndexSet
    recalled: bool = False
    pause: int = 0
    startable: bool = True
    changed: bool = False

    @property
    def waiting(self) -> int:
        """How many entries have no hold."""
        return len(self.listed) - len(self.held)

    def drop(self, indexes: IndexSet) -> int:
        """Take entries off the list and return how many holds that frees."""
        freed = len(self.held & indexes)
        self.listed -= indexes
        self.held -= indexes
        self.started -= indexes
        self.changed = True
        return freed


@dataclass(slots=True)
class Room:
    """What a node can hold and holds, by resource."""

    capacity: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    changed: bool = False

    @property
    def free(self) -> dict[str, int]:
        return {name: capacity - self.held[name] for name, capacity in self.capacity.items()}

    def hold(self, demand: dict[str, int], count: int) -> None:
        """Hold (or with a negative count free) what `count` tasks of this demand take."""
        for name, amount in demand.items():
            self.held[name] = self.held.get(name, 0) + amount * count
            if count < 0:
                self.capacity[name] = max(self.total.get(name, 0), self.held[name])
        self.changed = self.changed or bool(count)


@dataclass(slots=True)
class NodeRow:
    """What placing needs to know of a node; `unavailable` says in a word why it takes no new work."""

    id: int
    name: str
    pool: str
    labels: dict[str, str]
    slot_cpus: int
    session: str
    last_entry: int
    pause_epoch: int
    unavailable: str | None


@dataclass(frozen=True, slots=True)
class Switches:
    """What operators have set for the whole cluster, and which algorithm serves pools that are named."""

    paused: bool
    strategy: str
    allocation: str
    allocation_of: Mapping[str, str]

    def algorithm(self, pool: str) -> str:
        """Return the name of the algorithm that serves a pool."""
        return self.allocation_of.get(pool, self.allocation)


@dataclass(frozen=True, slots=True)
class Front:
    """The stages of a pool that rounds look at first; without a pool, those of all pools that no other front has."""

    pool: str | None = None
    newest_first: bool = False


@dataclass(slots=True)
class Candidate:
    """A stage with ready tasks, and what its job says about where and when they may go."""

    stage: StageRow
    pool: str
    priority: int
    number: int
    constraints: tuple[Constraint, ...]
    waiting_since: float
    #: Whether its job has no other stage.
    alone: bool
    #: The type of its job, and how many jobs of it may run at once.
    kind: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """A job that has not ended, and the tasks that it has on nodes (`listed`) and that have not ended (`open`)."""

    id: UUID
    number: int
    pool: str
    priority: int
    kind: int
    most: int | None
    #: Whether more of it may be placed.
    startable: bool
    listed: int
    open: int
    #: The fewest tasks with which it can go on.
    least: int
    demand: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Running:
    """A job that has not ended."""

    id: UUID
    kind: int
    number: int
    started: bool
