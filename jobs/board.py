"""The rows that one of the leader's transactions works on: read once, moved in memory, written back in one statement a table.

Only the leader writes stages, assignments and resources, so reading them takes no locks; job rows are locked, since a
request may change them at any time (a cancel).
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from jobs import rows
from scheduling.assignment import how_many, promote
from scheduling.indexes import IndexSet
from scheduling.lifecycle import JOB_ENDS, JOB_STARTABLE, JOB_TRANSITIONS, TASK_ENDS, JobState, TaskState


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
    error: str = ""
    changed: bool = False

    @property
    def stopping(self) -> bool:
        """Say whether nothing more of it may start."""
        return self.state not in JOB_STARTABLE

    def fail(self, error: str) -> None:
        """Begin to fail, for this reason; the first reason stays."""
        if self.state in JOB_STARTABLE:
            self.become(JobState.FAILING)
            self.error = error

    def become(self, state: JobState) -> None:
        """Move to `state`; raise ValueError where the lifecycle does not allow it."""
        if state not in JOB_TRANSITIONS[self.state]:
            raise ValueError(f"a job cannot go from {self.state.name} to {state.name}")
        self.state, self.changed = state, True


@dataclass(slots=True)
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
            self.done |= indexes
        self.changed = True

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


STAGE_COLUMNS = """s.id, s.job_id, s.parallelism, s.open_needs, s.feeds_pointwise, s.unplaced::text, s.blocked::text,
    s.delayed::text, s.spent::text, s.done::text, s.counts, s.run_seconds, s.demand::text, s.started_at IS NOT NULL, s.ended_at IS NOT NULL,
    coalesce(s.spec ->> 'python', s.spec ->> 'command'), s.name, extract(epoch FROM s.next_due)::float8,
    coalesce((s.spec ->> 'gang')::bool, false)"""
STAGE_WIDTH = 19
JOB_COLUMNS = """j.id, j.state, j.stages_total, j.stages_ended, j.failures, j.max_failures, j.started_at IS NOT NULL,
    (j.spec -> 'retry')::text, j.number"""
ASSIGNMENT_COLUMNS = """id, node_id, session, entry, stage_id, attempt, demand::text, after::text, listed::text, held::text,
    started::text, recalled"""


def read_stage(row: tuple[Any, ...]) -> StageRow:
    """Make a StageRow of STAGE_COLUMNS."""
    sets = map(IndexSet.from_multirange, row[5:10])
    return StageRow(*row[:5], *sets, list(row[10]), row[11], json.loads(row[12]), *row[13:STAGE_WIDTH])


def read_job(row: tuple[Any, ...]) -> JobRow:
    """Make a JobRow of JOB_COLUMNS."""
    return JobRow(row[0], JobState(row[1]), *row[2:])


def read_assignment(row: tuple[Any, ...]) -> AssignmentRow:
    """Make an AssignmentRow of ASSIGNMENT_COLUMNS."""
    sets = map(IndexSet.from_multirange, row[8:11])
    return AssignmentRow(*row[:6], json.loads(row[6]), json.loads(row[7]), *sets, row[11])


class Board:
    """Jobs, stages, lists and room, as one transaction sees and changes them."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, JobRow] = {}
        self.stages: dict[int, StageRow] = {}
        self.lists: dict[int, list[AssignmentRow]] = defaultdict(list)
        self.rooms: dict[int, Room] = defaultdict(Room)

    def lock_stages(self, ids: Iterable[int]) -> None:
        """Read these stages and lock their jobs, in the order of the jobs' ids."""
        missing = [id_ for id_ in set(ids) if id_ not in self.stages]
        if not missing:
            return
        found = rows.fetch(
            f"SELECT {STAGE_COLUMNS}, {JOB_COLUMNS} FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id "
            "WHERE s.id = ANY(%s) ORDER BY j.id FOR NO KEY UPDATE OF j",
            [missing],
        )
        for row in found:
            self.stages[row[0]] = read_stage(row[:STAGE_WIDTH])
            if row[1] not in self.jobs:
                self.jobs[row[1]] = read_job(row[STAGE_WIDTH:])

    def read_lists(self, nodes: Iterable[int]) -> None:
        """Read the lists and the room of these nodes."""
        ids = list(nodes)
        for row in rows.fetch(
            f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE node_id = ANY(%s) ORDER BY entry", [ids]
        ):
            self.lists[row[1]].append(read_assignment(row))
        for node, name, total, capacity, held in rows.fetch(
            "SELECT node_id, name, total, capacity, held FROM nodes_noderesource WHERE node_id = ANY(%s)",
            [ids],
        ):
            room = self.rooms[node]
            room.total[name], room.capacity[name], room.held[name] = total, capacity, held

    def job_of(self, stage: int) -> JobRow:
        """Return the job that a stage belongs to."""
        return self.jobs[self.stages[stage].job_id]

    def drop(self, node: int, stage: int, indexes: IndexSet) -> None:
        """Take tasks off a node's list and free what they held."""
        for assignment in self.lists[node]:
            if assignment.stage == stage and (taken := assignment.listed & indexes):
                self.rooms[node].hold(assignment.demand, -assignment.drop(taken))

    def hold_started(self, node: int, begun: AssignmentRow, indexes: IndexSet) -> None:
        """Hold for tasks that began without a hold, withdrawing the newest holds whose start is unreported for room."""
        room = self.rooms[node]
        for assignment in reversed(self.lists[node]):
            missing = len(indexes) - how_many(begun.demand, room.free)
            idle = assignment.held - assignment.started
            if missing <= 0:
                break
            if idle:
                taken = IndexSet.from_indexes(list(idle)[-missing:])
                assignment.held -= taken
                assignment.changed = True
                room.hold(assignment.demand, -len(taken))
        granted = indexes.take(how_many(begun.demand, room.free))[0]
        begun.held |= granted
        begun.changed = True
        room.hold(begun.demand, len(granted))

    def promote(self, node: int) -> None:
        """Grant what the node's list and room allow."""
        live = [assignment for assignment in self.lists[node] if assignment.listed]
        on_list: dict[int, IndexSet] = defaultdict(IndexSet)
        for assignment in live:
            on_list[assignment.stage] |= assignment.listed
        for assignment in live:
            assignment.startable = not assignment.recalled and not any(
                on_list[stage] & IndexSet.span(low, high) for stage, low, high in assignment.after if stage in on_list
            )
        room = self.rooms[node]
        for assignment, count in promote(live, room.free):
            assignment.held |= (assignment.listed - assignment.held).take(count)[0]
            assignment.changed = True
            room.hold(assignment.demand, count)

    def write(self) -> None:
        """Write back all that changed."""
        _write_stages([stage for stage in self.stages.values() if stage.changed])
        _write_jobs([job for job in self.jobs.values() if job.changed])
        changed = [assignment for entries in self.lists.values() for assignment in entries if assignment.changed]
        _write_assignments([assignment for assignment in changed if assignment.id and assignment.listed])
        _insert_assignments([assignment for assignment in changed if not assignment.id])
        _delete_assignments([assignment.id for assignment in changed if assignment.id and not assignment.listed])
        _write_rooms({node: room for node, room in self.rooms.items() if room.changed})


def _write_stages(stages: list[StageRow]) -> None:
    if not stages:
        return
    values = rows.columns(
        (
            (
                stage.id,
                stage.open_needs,
                stage.unplaced.to_multirange(),
                stage.blocked.to_multirange(),
                stage.delayed.to_multirange(),
                stage.spent.to_multirange(),
                stage.done.to_multirange(),
                stage.next_due,
                stage.parallelism,
                "{" + ",".join(map(str, stage.counts)) + "}",
                stage.run_seconds,
                stage.started,
                stage.ended,
            )
            for stage in stages
        ),
        13,
    )
    rows.execute(
        """UPDATE jobs_stage s SET open_needs = c.open_needs, unplaced = c.unplaced::int4multirange,
            blocked = c.blocked::int4multirange, delayed = c.delayed::int4multirange, spent = c.spent::int4multirange,
            done = c.done::int4multirange, next_due = to_timestamp(c.next_due), parallelism = c.parallelism,
            counts = c.counts::int[], run_seconds = c.run_seconds,
            started_at = CASE WHEN c.started THEN coalesce(s.started_at, now()) END,
            ended_at = CASE WHEN c.ended THEN coalesce(s.ended_at, now()) END
        FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::float8[], %s::int[], %s::text[], %s::float8[], %s::bool[], %s::bool[])
            AS c(id, open_needs, unplaced, blocked, delayed, spent, done, next_due, parallelism, counts, run_seconds, started,
                ended)
        WHERE s.id = c.id""",
        values,
    )


def _write_jobs(jobs: list[JobRow]) -> None:
    if not jobs:
        return
    values = rows.columns(
        (
            (
                job.id,
                int(job.state),
                job.stages_ended,
                job.failures,
                job.error,
                job.started,
                job.state in JOB_ENDS,
            )
            for job in jobs
        ),
        7,
    )
    rows.execute(
        """UPDATE jobs_job j SET state = c.state, stages_ended = c.stages_ended, failures = c.failures,
            error = CASE WHEN c.error = '' THEN j.error ELSE c.error END,
            started_at = CASE WHEN c.started THEN coalesce(j.started_at, now()) END,
            ended_at = CASE WHEN c.ended THEN coalesce(j.ended_at, now()) END
        FROM unnest(%s::uuid[], %s::smallint[], %s::int[], %s::int[], %s::text[], %s::bool[], %s::bool[])
            AS c(id, state, stages_ended, failures, error, started, ended)
        WHERE j.id = c.id""",
        values,
    )


def _write_assignments(assignments: list[AssignmentRow]) -> None:
    if not assignments:
        return
    values = rows.columns(
        (
            (a.id, a.listed.to_multirange(), a.held.to_multirange(), a.started.to_multirange(), a.recalled)
            for a in assignments
        ),
        5,
    )
    rows.execute(
        """UPDATE jobs_assignment a SET listed = c.listed::int4multirange, held = c.held::int4multirange,
            started = c.started::int4multirange, recalled = c.recalled
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bool[]) AS c(id, listed, held, started, recalled)
        WHERE a.id = c.id""",
        values,
    )


def _insert_assignments(assignments: list[AssignmentRow]) -> None:
    if not assignments:
        return
    values = rows.columns(
        (
            (
                a.node,
                a.session,
                a.entry,
                a.stage,
                a.attempt,
                json.dumps(a.demand),
                json.dumps(a.after),
                a.listed.to_multirange(),
                a.held.to_multirange(),
            )
            for a in assignments
        ),
        9,
    )
    ids = rows.fetch(
        """INSERT INTO jobs_assignment
            (node_id, session, entry, stage_id, attempt, demand, after, listed, held, started, recalled, placed_at)
        SELECT c.node_id, c.session, c.entry, c.stage_id, c.attempt, c.demand::jsonb, c.after::jsonb,
            c.listed::int4multirange, c.held::int4multirange, '{}', false, now()
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::text[],
            %s::text[]) AS c(node_id, session, entry, stage_id, attempt, demand, after, listed, held)
        RETURNING id, node_id, entry""",
        values,
    )
    known = {(node, entry): id_ for id_, node, entry in ids}
    for assignment in assignments:
        assignment.id = known[assignment.node, assignment.entry]


def _delete_assignments(ids: list[int]) -> None:
    if ids:
        rows.execute("DELETE FROM jobs_assignment WHERE id = ANY(%s)", [ids])


def _write_rooms(rooms: dict[int, Room]) -> None:
    if not rooms:
        return
    values = rows.columns(
        ((node, name, room.capacity[name], room.held[name]) for node, room in rooms.items() for name in room.capacity),
        4,
    )
    rows.execute(
        """UPDATE nodes_noderesource r SET capacity = c.capacity, held = c.held
        FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[]) AS c(node_id, name, capacity, held)
        WHERE r.node_id = c.node_id AND r.name = c.name""",
        values,
    )
