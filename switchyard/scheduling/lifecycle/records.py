"""The port to the records: what rules ask, and what they write. jobs.store answers from SQL, `memory` from dicts.

A question returns its answer as a function: what is asked inside `together` costs one round trip, taken where the first
answer is. All that is asked and written in one `transaction` happens at one moment, which `ask_lease` returns.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import UUID

from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import Ends, Judged
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import (
    Before,
    Buffer,
    Copied,
    Current,
    Deadline,
    Exposed,
    Listed,
    Lost,
    Need,
    Part,
    Patience,
    Resource,
    Reused,
    Sign,
    Stopping,
)
from switchyard.scheduling.lifecycle.operations import Ended, Open, Request
from switchyard.scheduling.lifecycle.reports import Finished, Report
from switchyard.scheduling.lifecycle.rows import (
    AssignmentRow,
    Candidate,
    Front,
    JobRow,
    NodeRow,
    Room,
    Running,
    Share,
    StageRow,
    Switches,
)
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.spec.types import Constraint

T = TypeVar("T")
Answer = Callable[[], T]


class NotItems(Exception):
    """A stage cannot run over the results of another."""


class LeaseLost(Exception):
    """Another worker leads by now."""


@dataclass(slots=True)
class Changes:
    """What a unit of work changed."""

    stages: list[StageRow] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)
    events: list[Told] = field(default_factory=list)
    assignments: list[AssignmentRow] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    rooms: dict[int, Room] = field(default_factory=dict)
    placed: list[AssignmentRow] = field(default_factory=list)


class Records(Protocol):
    """Jobs, stages, tasks, lists and nodes as they are stored."""

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all that is written meanwhile, or nothing of it where an error is raised."""

    def together(self) -> AbstractContextManager[None]:
        """Ask and write what follows in one round trip."""

    def ask_lease(self, epoch: int) -> Answer[float]:
        """Return the time of the transaction, in seconds since the epoch; raise LeaseLost if another leads."""

    def ask_sessions(self, nodes: Collection[int]) -> Answer[dict[int, tuple[str, int]]]:
        """Lock nodes, and return the session and the last report of each."""

    def ask_stages(self, stages: Collection[int]) -> Answer[tuple[list[StageRow], dict[UUID, JobRow]]]:
        """Lock the jobs of stages, and return both."""

    def ask_lists(self, nodes: Collection[int]) -> Answer[tuple[list[AssignmentRow], list[Resource]]]:
        """Return the lists of nodes, in their order, and what the nodes have."""

    def ask_consumers(self, stages: Collection[int]) -> Answer[list[tuple[int, int]]]:
        """Return (stage, a stage that needs all of it)."""

    def pointwise_needs(self, producer: int) -> list[tuple[int, int]]:
        """Return the pointwise edges, as (consumer, producer), of all pointwise consumers of a stage."""

    def pointwise_producers(self, consumer: int) -> list[int]:
        """Return the stages that a stage reads from task by task."""

    def gangs(self, stages: Collection[int]) -> set[int]:
        """Return which of these stages are gangs."""

    def buffers(self, stages: Collection[int]) -> list[Buffer]:
        """Return all buffers of the stages that feed a buffer at either end of which one of these stages is."""

    def listed(self, stages: Collection[int]) -> list[Listed]:
        """Return where tasks of these stages are listed."""

    def nodes_listing(self, stages: Collection[int]) -> list[int]:
        """Return the nodes on whose lists tasks of these stages stand."""

    def nodes_recalled(self) -> list[int]:
        """Return the nodes on whose lists entries stand that are to end."""

    def suspending(self, stages: Collection[int]) -> set[int]:
        """Return which of these stages are of jobs that are being suspended."""

    def stopping_jobs(self) -> Stopping:
        """Return the jobs of which something is to end, some at a time, without those that are held."""

    def open_stages(self, jobs: Collection[UUID]) -> list[int]:
        """Return the stages of jobs that have not ended, in their order."""

    def needs(self, jobs: Collection[UUID]) -> dict[int, list[Need]]:
        """Return what the stages of jobs need, by stage; a stage that needs none is left out."""

    def canceled(self, stages: Collection[int]) -> dict[int, IndexSet]:
        """Return the canceled tasks of each stage. Stages without any are left out."""

    def let_through(self, stages: Collection[int]) -> dict[int, list[tuple[float, int]]]:
        """Return when tasks of these stages were let through up to where."""

    def current(
        self, ends: Sequence[tuple[int, int, int, int]], states: frozenset[TaskState]
    ) -> dict[tuple[int, int], Current]:
        """Return the tasks, named as (node, stage, attempt, index), whose attempt this is now, if in one of `states`."""

    def running(self, parts: Sequence[Part]) -> list[tuple[int, int]]:
        """Return the tasks of these parts that have begun and have not ended, as (number of the part, index)."""

    def exposed(self, parts: Iterable[tuple[int, int, int, int]], least: int) -> list[Exposed]:
        """Return the tasks, of those named as (node, stage, low, high), that were lost at least so often."""

    def views(self) -> list[NodeView]:
        """Return the registered nodes."""

    def requirements(self, job: UUID) -> tuple[str, tuple[Constraint, ...]]:
        """Return a job's pool and its constraints on nodes."""

    def make_tasks(self, stage: StageRow, known: Mapping[int, StageRow], *, draining: bool) -> int:
        """Make the tasks of a stage that runs over another's results, and return how many; raise NotItems if it cannot.

        `known` are stages that are not written back yet.
        """

    def lock_jobs(self, jobs: Collection[UUID]) -> list[JobRow]:
        """Lock jobs, in the order of their ids, and return them."""

    def deadlines(self, jobs: Collection[UUID] | None) -> list[Deadline]:
        """Return jobs of which a timeout may be over, without those that are held or suspended.

        Of these jobs alone, if any are given.
        """

    def release(self, job: UUID) -> None:
        """Hold a job no more."""

    def note_suspended(self, job: UUID, by: str, reason: str) -> None:
        """Note by whom and why a job is suspended from now on."""

    def note_resumed(self, job: UUID) -> None:
        """Note that a job is suspended no more, and add up for how long it was."""

    def request_operation(self, request: Request) -> UUID:
        """Write an operation that begins now, and return its id."""

    def open_operations(self, jobs: Collection[UUID] | None) -> list[Open]:
        """Return the operations in progress, the oldest first; of these jobs alone, if any are given."""

    def end_operations(self, ended: Sequence[Ended]) -> None:
        """End operations that are in progress; others stay as they ended."""

    def is_listed(self, job: UUID) -> bool:
        """Return whether tasks of a job stand on lists."""

    def cancel_rest(self, job: UUID) -> None:
        """Move all tasks of a job that have not ended to CANCELED, and end its stages, with counters as their tasks say."""

    def before(self, job: UUID) -> dict[str, Before]:
        """Return how the stages of a job stand, by name."""

    def stage_ids(self, job: UUID) -> dict[str, int]:
        """Return the stages of a job by name."""

    def copy_items(self, old: int, new: int, count: int) -> None:
        """Give a stage the items of another, and a task for each."""

    def copy_finished(self, copies: Sequence[Copied]) -> None:
        """Copy finished tasks of stages over the CREATED ones of others."""

    def write_reused(self, reused: Sequence[Reused]) -> None:
        """Write which tasks of stages stand from other jobs, and why others do not."""

    def ask_switches(self) -> Answer[Switches]:
        """Return what operators have set for the whole cluster, and keep it from changing in this transaction."""

    def ask_nodes(self) -> Answer[list[NodeRow]]:
        """Return the registered nodes in the order of their ids."""

    def ask_resources(self) -> Answer[list[Resource]]:
        """Return what all nodes have."""

    def ask_waiting(self) -> Answer[dict[int, dict[int, int]]]:
        """Return how many tasks wait on lists, by node and stage; of stages that stand there with none waiting, 0."""

    def candidates(
        self,
        jobs: Collection[UUID] | None,
        limit: int,
        *,
        fronts: Sequence[Front],
        turns: Mapping[UUID, int],
        without: Collection[UUID],
    ) -> list[Candidate]:
        """Return stages with unplaced tasks that need no other any more, the first `limit` of each front.

        The first are those by the turns of their jobs, if any are given, by priority, submission, and place in their jobs.
        They are of jobs that may run and are not held, whose types are not paused; of these `jobs` alone, if any are given.
        """

    def shares(self, pools: Collection[str]) -> list[Share]:
        """Return the jobs of pools that have not ended."""

    def live_jobs(self, kinds: Collection[int]) -> list[Running]:
        """Return the jobs of types that have not ended."""

    def ask_unready(self, jobs: Collection[UUID], most_of_one: int, most: int) -> Answer[list[StageRow]]:
        """Return the next stages of jobs that need others, producers first, without gangs and what has a buffer."""

    def ask_edges(self, jobs: Collection[UUID]) -> Answer[list[tuple[int, int, str]]]:
        """Return the edges of jobs as (consumer, producer, exchange)."""

    def stage(self, id_: int) -> StageRow:
        """Return a stage."""

    def attempts(self, stage: int, indexes: IndexSet) -> list[tuple[int, int]]:
        """Return the attempt numbers of tasks, as (index, attempt)."""

    def archive(self, stage: int, indexes: IndexSet) -> None:
        """Keep the last attempts of CREATED tasks that have an end, and give these tasks the next number."""

    def schedule(self, assignments: Sequence[AssignmentRow]) -> None:
        """Move CREATED tasks of new assignments to SCHEDULED, on their nodes."""

    def write_entries(self, nodes: Sequence[NodeRow]) -> None:
        """Write the numbers of the last entries of nodes."""

    def write_refusals(self, refusals: Sequence[tuple[int, str | None]]) -> None:
        """Write why stages wait, as JSON texts; None for a stage that waits no more."""

    def signs(self) -> list[Sign]:
        """Return the signs of life of the nodes that have a session."""

    def patience(self, nodes: Collection[int]) -> list[Patience]:
        """Return the stages of the sessions of nodes."""

    def nodes_outlived(self) -> list[int]:
        """Return the nodes on whose lists entries stand from older sessions; entries of jobs that are held do not count."""

    def on_list(self, node: int) -> list[tuple[int, UUID]]:
        """Return the stages on a node's list, each with its job, but for those of jobs that are held."""

    def due(self, jobs: Collection[UUID] | None) -> list[tuple[int, UUID]]:
        """Return stages with tasks whose backoff may be over, and their jobs; of these jobs alone, if any are given."""

    def not_before(self, stage: int, indexes: IndexSet) -> list[tuple[int, float]]:
        """Return until when tasks wait, as (index, seconds since the epoch)."""

    def end_session(self, node: int) -> None:
        """Leave a node without a session."""

    def lose(self, lost: Sequence[Lost]) -> list[Move]:
        """End the attempts of listed tasks as lost with their nodes."""

    def reconcile(self, node: int, stage: int, indexes: IndexSet, before: TaskState, after: TaskState) -> list[Move]:
        """Move tasks on a node from one state to another, as the node is silent or heard again."""

    def write_silent(self, nodes: Collection[int], *, silent: bool) -> None:
        """Write since when nodes are silent, or that they are not."""

    def write_ends(self, ends: Ends) -> None:
        """Count how attempts ended."""

    def finish(self, groups: Sequence[tuple[int, int, Finished]]) -> list[Move]:
        """End tasks FINISHED, given as (node, what its clock showed, group)."""

    def end(self, judged: Sequence[Judged]) -> list[Move]:
        """End attempts of which more is to be recorded than a result."""

    def give_back(self, returns: Sequence[tuple[Part, TaskState]]) -> list[Move]:
        """Move tasks that never started to CREATED or CANCELED."""

    def start(self, starts: Sequence[tuple[int, int, int, int, int]]) -> list[Move]:
        """Move tasks, named as (node, stage, attempt, index, microseconds since), to RUNNING."""

    def update(self, reports: Sequence[Report]) -> None:
        """Write metrics and accumulators of running tasks."""

    def cancel_created(self, chosen: Sequence[tuple[int, IndexSet]]) -> None:
        """Move tasks of stages from CREATED to CANCELED."""

    def cancel_listed(self, chosen: Sequence[tuple[int, IndexSet]]) -> list[Move]:
        """Move listed tasks of stages to CANCELING."""

    def renew(self, stage: int) -> None:
        """Make all tasks of a stage CREATED under a new attempt number, each with the most failures that one has."""

    def write_avoided(self, stage: int, avoided: str) -> None:
        """Write which nodes cannot run a stage."""

    def write_let_through(self, marks: Mapping[int, list[tuple[float, int]]]) -> None:
        """Write when tasks of stages were let through up to where."""

    def write_numbers(self, reports: Collection[Report]) -> None:
        """Write which report of each node was the last."""

    def write(self, changes: Changes) -> None:
        """Write what a unit of work changed, in one round trip; new assignments get their ids."""
