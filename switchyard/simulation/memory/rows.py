"""Rows of the records in memory. They are replaced and never changed, so that a table is kept by a shallow copy."""

from dataclasses import dataclass, field
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Reused
from switchyard.scheduling.lifecycle.operations import Ended, Request
from switchyard.scheduling.lifecycle.rows import JobRow, StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.retry import ExitClass
from switchyard.scheduling.spec.types import CheckpointRule, Constraint, Exchange, Timeouts


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task with its current attempt, or an attempt that is over."""

    stage: int
    index: int
    state: TaskState = TaskState.CREATED
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    node: int | None = None
    scheduled_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    not_before: float | None = None
    exit_class: str | None = None
    exit_code: int | None = None
    error: str | None = None
    result: str | None = None
    result_digest: str | None = None
    metrics: object = None
    accumulators: object = None
    logs: object = None
    inputs: int | None = None
    files: object = None

    @property
    def state_when_over(self) -> TaskState:
        """The state of this attempt once its task waits again: to be suspended is no failure."""
        return TaskState.CANCELED if self.exit_class == ExitClass.SUSPENDED else TaskState.FAILED


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job: the row that rules work on, and what else is kept."""

    row: JobRow
    pool: str
    priority: int
    constraints: tuple[Constraint, ...]
    kind: tuple[str, str]
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    error: str = ""
    held_reason: str = ""
    suspended_at: float | None = None
    suspended_by: str = ""
    suspend_reason: str = ""
    suspended_seconds: float = 0.0
    disconnect_grace: float | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    checkpoint: CheckpointRule | None = None


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """An operation, and how it ended if it has."""

    request: Request
    requested_at: float
    deadline: float
    ended_at: float | None = None
    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class CheckpointRecord:
    """A checkpoint; `asked` are the tasks that it asks, by stage and attempt, None until the leader has asked."""

    id: int
    job: UUID
    number: int
    triggered_at: float
    asked: tuple[tuple[int, int, IndexSet], ...] | None = None
    #: The operation that ends with it, where somebody asked for it.
    operation: UUID | None = None
    answers: int = 0
    size: int = 0
    failure: str = ""
    discarded: bool = False
    ended_at: float | None = None

    @property
    def completed(self) -> bool:
        """Whether all tasks have answered or finished."""
        return self.ended_at is not None and not self.failure


@dataclass(frozen=True, slots=True)
class StateRecord:
    """The state of a task; `size` is -1 where it has saved none. `content` stands for its bytes."""

    index: int
    attempt: int
    size: int
    content: object = None


@dataclass(frozen=True, slots=True)
class SavedRecord:
    """States that tasks of a stage have saved: for a checkpoint, or each for itself."""

    id: int
    stage: int
    checkpoint: int | None
    tasks: IndexSet
    states: tuple[StateRecord, ...]


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage: the row that rules work on, and what else is kept."""

    row: StageRow
    position: int
    #: The stage over whose results it runs.
    source: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    let_through: tuple[tuple[float, int], ...] = ()
    reused: Reused | None = None
    refusal: str | None = None
    refused_at: float | None = None


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """Stage `consumer` needs stage `producer`."""

    producer: int
    consumer: int
    exchange: Exchange
    buffer: int | None


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node; `resources` are (total, capacity, held) by name."""

    id: int
    name: str
    pool: str = "default"
    labels: dict[str, str] = field(default_factory=dict)
    slot_cpus: int = 1000
    session: str = ""
    active: bool = True
    unavailable: str | None = None
    #: Whether its agent has gone for good.
    left: bool = False
    last_report: int = 0
    last_entry: int = 0
    pause_epoch: int = 0
    confirmed_pause: int = 0
    heard_at: float = 0.0
    silent_since: float | None = None
    settled_at: float | None = None
    resources: dict[str, tuple[int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TypeRecord:
    """What operators have set for the jobs of a type."""

    paused: bool = False
    max_running: int | None = None
