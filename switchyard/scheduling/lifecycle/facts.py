"""Facts of the records: rows as values, with which questions of rules are answered and which rules write."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState


class Part(NamedTuple):
    """Tasks of one attempt of a stage on a node's list: the range from `low` up to `high`."""

    node: int
    stage: int
    attempt: int
    low: int
    high: int


class Resource(NamedTuple):
    """How much of a resource a node has, may hold, and holds."""

    node: int
    name: str
    total: int
    capacity: int
    held: int


class Current(NamedTuple):
    """Where a task's current attempt stands."""

    state: TaskState
    failures: int
    losses: int


class Exposed(NamedTuple):
    """A task that was lost with nodes before: how often, whether with another node, and whether there is another node."""

    stage: int
    task: int
    losses: int
    elsewhere: bool
    alone: bool


class Buffer(NamedTuple):
    """An edge of which at most so many results may wait."""

    producer: int
    consumer: int
    size: int


class Need(NamedTuple):
    """A stage that another one needs, with how many tasks it has and how many of them were canceled."""

    stage: int
    pointwise: bool
    tasks: int
    canceled: int


class Listed(NamedTuple):
    """Tasks of a stage on a node's list."""

    node: int
    stage: int
    listed: IndexSet
    started: IndexSet


class Lost(NamedTuple):
    """Tasks that a node had and lost: how many losses more each has, and how it goes on."""

    node: int
    stage: int
    low: int
    high: int
    losses: int
    after: TaskState


@dataclass(frozen=True, slots=True)
class Sign:
    """For how many seconds a node was silent, whether it is marked so, may be heard, and whether its agent has left."""

    node: int
    session: str
    silence: float
    marked: bool
    trusted: bool
    left: bool


class Patience(NamedTuple):
    """A stage on a silent node's list, and for how many seconds its job waits for the node, if it does."""

    node: int
    stage: int
    grace: float | None


class Deadline(NamedTuple):
    """When a job was submitted and began, and for how many seconds it may wait and run, if that is bounded.

    `suspended` is for how many seconds it was suspended, since it began if it has.
    """

    job: UUID
    created_at: float
    started_at: float | None
    queue: float | None
    run: float | None
    suspended: float


class Stopping(NamedTuple):
    """Jobs of which something is to end: for good, at their sources alone, or until they are resumed."""

    ending: list[UUID]
    draining: list[UUID]
    suspending: list[UUID]


class Origin(NamedTuple):
    """Where results that stand in a retry were made: the number of the job, its stage, and the tasks, by the same indexes."""

    job: int
    stage: int
    tasks: IndexSet


class Before(NamedTuple):
    """How a stage stood when its job had ended.

    It has so many tasks. Of those that finished, the results of some may be gone, and some may stand from earlier jobs.
    """

    stage: int
    tasks: int
    finished: IndexSet
    gone: IndexSet = IndexSet()
    origins: tuple[Origin, ...] = ()


class Copied(NamedTuple):
    """Finished tasks that one stage takes over from another."""

    old: int
    new: int
    tasks: IndexSet


class Reused(NamedTuple):
    """What is kept of a retried stage: where the results that stand were made, and why other finished tasks run again."""

    stage: int
    origins: tuple[Origin, ...]
    reasons: tuple[str, ...]
