"""What the server tells, as docs/api.md describes it; fields that a newer server adds are left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

ENDED_TASKS = ("FINISHED", "FAILED", "CANCELED")
LIVE_TASKS = ("RUNNING", "CANCELING")


@dataclass(frozen=True, slots=True)
class Need:
    """A stage whose results another stage is handed, and how: all, or pointwise; at most `buffer` of these may wait."""

    stage: str
    exchange: str = "all"
    buffer: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stage could not run on any node that is registered."""

    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class StageStatus:
    """A stage and where its tasks stand; `tasks` counts them by state, and in `total`."""

    name: str
    state: str
    parallelism: int
    tasks: Mapping[str, int]
    position: int = 0
    needs: tuple[Need, ...] = ()
    run_seconds: float = 0.0
    refusal: tuple[str, ...] = ()
    reused: int = 0
    rerun: tuple[str, ...] = ()
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> int:
        """The number of tasks that have ended, however."""
        return sum(self.tasks.get(state, 0) for state in ENDED_TASKS)

    @property
    def running(self) -> int:
        """The number of tasks that run now."""
        return sum(self.tasks.get(state, 0) for state in LIVE_TASKS)


@dataclass(frozen=True, slots=True)
class Suspended:
    """Since when, by whom and why a job is suspended."""

    at: datetime
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RetriedStage:
    """What a retry would have of a stage: its tasks (None: not known yet), how many are reused, why others are not."""

    name: str
    parallelism: int | None
    reused: int
    rerun: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrial:
    """What a retry of a job would reuse."""

    retried_from: str
    retried_from_number: int
    stages: tuple[RetriedStage, ...]


@dataclass(frozen=True, slots=True)
class RetryStatus:
    """A job that is a retry of another."""

    id: str
    number: int
    state: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The attempt that made a reused result; its number is None once its job is deleted."""

    job: int
    stage: str
    index: int
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation failed."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OperationStatus:
    """A request that takes its time; it has ended with an outcome, or with a failure."""

    id: str
    number: int
    kind: str
    state: str
    requested_at: datetime
    job: str | None = None
    job_number: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    requested_by: str = ""
    outcome: Any = None
    failure: Failure | None = None
    deadline: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it has an outcome or a failure."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A job that a program describes, or that a function of it describes."""

    name: str
    description: str | None = None
    function: str | None = None


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """An uploaded program; `fault` says why it cannot be run."""

    id: str
    name: str
    digest: str
    size: int
    uploaded_at: datetime
    entries: tuple[EntryPoint, ...] = ()
    uploaded_by: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job and where it stands; `stages`, `spec`, `infeasible` and `retries` are there when one job was asked for.

    `operation` is there in the answer to a suspend: it ends when the job is suspended.
    """

    id: str
    number: int
    name: str
    state: str
    tasks: Mapping[str, int]
    created_at: datetime
    type: str = ""
    type_version: str = ""
    owner: str | None = None
    priority: int = 100
    pool: str = "default"
    draining: bool = False
    suspended: Suspended | None = None
    held_reason: str = ""
    error: str = ""
    stages_total: int = 0
    stages_ended: int = 0
    progress: float = 0.0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    retried_from: str | None = None
    restored_from: dict[str, Any] | None = None
    retried_from_number: int | None = None
    retries: tuple[RetryStatus, ...] = ()
    failures: int = 0
    max_failures: int = 0
    planning_ms: float = 0.0
    infeasible: tuple[Reason, ...] = ()
    stages: tuple[StageStatus, ...] = ()
    operation: OperationStatus | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tasks_ended(self) -> int:
        """The number of tasks that have ended, however."""
        return sum(self.tasks.get(state, 0) for state in ENDED_TASKS)

    @property
    def has_ended(self) -> bool:
        """Whether nothing of the job will run any more."""
        return self.ended_at is not None

    @property
    def is_finished(self) -> bool:
        """Whether the job ended well."""
        return self.state == "FINISHED"


@dataclass(frozen=True, slots=True)
class AttemptStatus:
    """One attempt of a task."""

    attempt: int
    state: str
    node: str | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_class: str | None = None
    exit_code: int | None = None
    error: str | None = None
    metrics: Mapping[str, Any] | None = None
    accumulators: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A file that a task hands on, by its output and its path there."""

    stage: str
    index: int
    output: str
    path: str
    size: int
    digest: str
    executable: bool = False


@dataclass(frozen=True, slots=True)
class TaskStatus:
    """A task with its current attempt; `result` and `attempts` are there when one task was asked for."""

    stage: str
    index: int
    state: str
    attempt: int
    node: str | None = None
    failures: int = 0
    losses: int = 0
    not_before: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_class: str | None = None
    exit_code: int | None = None
    error: str | None = None
    progress: float | None = None
    metrics: Mapping[str, Any] | None = None
    accumulators: Mapping[str, Any] | None = None
    reused: bool = False
    reused_from: Origin | None = None
    result: Any = None
    attempts: tuple[AttemptStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why tasks of a stage wait, what blocks most first."""

    stage: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job is not further than it is."""

    state: str
    stages: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """The results of stages that no other needs, by name and index; `complete` once the job has ended."""

    complete: bool
    results: Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class StageResults:
    """The results of one stage in index order, None where a task has none."""

    complete: bool
    results: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of a resource a node has, and how much of it is taken; cpus in thousandths, mem in MiB."""

    total: int
    held: int


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a node."""

    kind: str
    name: str
    title: str = ""
    description: str = ""
    started_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """A machine that runs tasks."""

    id: int
    name: str
    state: str
    resources: Mapping[str, Amount]
    hostname: str = ""
    pool: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    active: bool = True
    paused: bool = False
    pause_reason: str = ""
    draining: bool = False
    running: int = 0
    conditions: tuple[Condition, ...] = ()
    heard_at: datetime | None = None
    registered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Leader:
    """The scheduler worker that decides."""

    holder: str = ""
    epoch: int = 0
    alive: bool = False


@dataclass(frozen=True, slots=True)
class SchedulerStatus:
    """The scheduler: whether it starts tasks, and how it chooses where."""

    paused: bool
    state: str
    pause_reason: str = ""
    strategy: str = ""
    strategies: tuple[str, ...] = ()
    allocation: str = ""
    allocation_of: dict[str, str] = field(default_factory=dict)
    allocations: tuple[str, ...] = ()
    leader: Leader = Leader()


@dataclass(frozen=True, slots=True)
class LogPart:
    """Some bytes of a log as they were written: from `offset` to `next`, of the `size` stored so far."""

    data: bytes
    offset: int
    next: int
    size: int
    ended: bool

    @property
    def is_last(self) -> bool:
        """Whether nothing follows this part, now or later."""
        return self.ended and self.next >= self.size


def decode(kind: type[T], data: object) -> T:
    """Read one answer, or raise pydantic's ValidationError if the server speaks otherwise."""
    answer: T = _adapter(kind).validate_python(data)
    return answer


def encode(value: object) -> Any:
    """Return an answer, or a list of them, as plain JSON."""
    return _adapter(type(value)).dump_python(value, mode="json")


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
