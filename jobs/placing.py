"""Placing: match ready tasks with nodes, and record the match.

Decides nothing itself (scheduling.plan and scheduling.backlog do) and sends nothing (jobs.dispatching does). One round
reads the cluster and the ready stages once and writes each table once, whatever the number of tasks.
"""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from jobs import following, lease, rows
from jobs.board import Board
from jobs.isolating import isolate
from jobs.memory import Memory
from jobs.moves import RANGE, move
from jobs.numbering import number
from jobs.tables import STAGE_COLUMNS, STAGE_WIDTH, AssignmentRow, StageRow, read_stage
from nodes.selectors import NodeRow, placeable_nodes, scheduler_switches
from scheduling import backlog
from scheduling.backlog import Queue
from scheduling.cluster import Cluster, NodeView
from scheduling.indexes import IndexSet
from scheduling.lifecycle import JOB_STARTABLE, TaskState
from scheduling.plan import Policy, Request, plan
from scheduling.resources import Resources, hold
from scheduling.spec.types import Constraint, Op

#: Stages that one round looks at; the rest wait for the next.
STAGES_A_ROUND = 2000
STARTABLE_JOBS = "SELECT id FROM jobs_job WHERE ended_at IS NULL AND state = ANY(%s) AND held_reason = '' ORDER BY number"


@dataclass(slots=True)
class Candidate:
    """A stage with ready tasks, and what its job says about where they may go."""

    stage: StageRow
    pool: str
    priority: int
    number: int
    constraints: tuple[Constraint, ...]
    waiting_since: float


@dataclass(slots=True)
class Round:
    """What one round placed, in list order: the new assignments and the nodes they are on."""

    assignments: list[AssignmentRow] = field(default_factory=list)
    refused: dict[int, Any] = field(default_factory=dict)


def place_pending(memory: Memory, *, epoch: int) -> Round:
    """Place as many ready tasks as there is room for, and fill the lists of the nodes.

    A job that makes this fail is held with the reason, and the others are placed without it.
    """
    try:
        return _round(memory, epoch, None)
    except (lease.LeaseLost, *rows.TRANSIENT):
        raise
    except Exception:
        jobs = [id_ for (id_,) in rows.fetch(STARTABLE_JOBS, [[int(state) for state in JOB_STARTABLE]])]
        rounds = isolate(jobs, lambda part: _round(memory, epoch, part), _hold_job)
        return Round([assignment for done in rounds for assignment in done.assignments])


def _hold_job(job: UUID, reason: str) -> None:
    rows.execute("UPDATE jobs_job SET held_reason = %s WHERE id = %s", [reason, job])


def _round(memory: Memory, epoch: int, jobs: Sequence[UUID] | None) -> Round:
    """Place in one transaction; only tasks of these jobs, where any are given."""
    done = Round()
    # Read before the transaction, which most turns then do without: from CREATED, only this leader moves tasks.
    candidates = _candidates(jobs)
    if not candidates:
        return done
    with transaction.atomic():
        lease.check(epoch)
        switches = scheduler_switches()
        if switches.paused:
            return done
        nodes = placeable_nodes()
        board = Board()
        board.read_lists([node.id for node in nodes])
        policy = Policy(allocation=switches.allocation, placement=switches.strategy)
        Filling(board, nodes, policy, memory, done).run(candidates)
        _move_tasks(done)
        board.write()
        _write_entries(nodes)
        if memory.refusals_due(time.monotonic()):
            _write_refusals(memory, done, candidates)
    return done


class Filling:
    """One round: plans holds, then fills backlogs, then lets dependents follow."""

    def __init__(self, board: Board, nodes: list[NodeRow], policy: Policy, memory: Memory, done: Round) -> None:
        self.board = board
        self.nodes = {node.id: node for node in nodes}
        self.policy = policy
        self.memory = memory
        self.measures = memory.measures
        self.done = done
        self.queues: dict[int, Queue] = {}

    def run(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            self.board.stages[candidate.stage.id] = candidate.stage
        self._read_queues()
        self._grant(candidates)
        reserved = {node for reservation in self.memory.reservations for node in reservation.nodes}
        self.queues = {node: queue for node, queue in self.queues.items() if node not in reserved}
        for candidate in candidates:
            if candidate.stage.id in self.done.refused and not candidate.stage.gang:
                self._queue(candidate)
        following.follow(self, [candidate.stage for candidate in candidates])

    def add(
        self,
        node: int,
        stage: StageRow,
        count: int,
        demand: dict[str, int],
        held: int,
        after: list[list[int]],
    ) -> None:
        """Put the lowest unplaced tasks of a stage on a node's list, the first `held` of them with a hold."""
        source = stage.unplaced if after else stage.ready
        indexes = source.take(count)[0]
        stage.move(TaskState.CREATED, TaskState.SCHEDULED, indexes)
        row = self.nodes[node]
        for attempt, members in number(stage, indexes):
            row.last_entry += 1
            granted = members.take(held)[0]
            held -= len(granted)
            self.done.assignments.append(
                AssignmentRow(
                    0,
                    node,
                    row.session,
                    row.last_entry,
                    stage.id,
                    attempt,
                    demand,
                    after,
                    members,
                    granted,
                    IndexSet(),
                )
            )
            self.done.assignments[-1].changed = True
            self.board.lists[node].append(self.done.assignments[-1])
            self.board.rooms[node].hold(demand, len(granted))

    def waiting(self, node: int, stage: int) -> int:
        """Count the entries of a stage that wait on a node's list."""
        return sum(assignment.waiting for assignment in self.board.lists[node] if assignment.stage == stage)

    def _read_queues(self) -> None:
        for node in self.nodes.values():
            if node.unavailable:
                continue
            self.queues[node.id] = queue = Queue(node.id, self.board.rooms[node.id].total)
            for assignment in self.board.lists[node.id]:
                queue.add(assignment.waiting, self.measures.of_stage(assignment.stage).mean)

    def _grant(self, candidates: list[Candidate]) -> None:
        views = [_view(node, self.board) for node in self.nodes.values()]
        requests = [_request(candidate) for candidate in candidates]
        planned = plan(
            Cluster(views),
            requests,
            self.policy,
            now=time.time(),
            seed=self.memory.next_seed(),
            reserved=self.memory.reservations,
        )
        self.memory.reservations = planned.reservations
        for placement in planned.placements:
            stage = self.board.stages[placement.stage]
            demand = dict(hold(stage.demand, placement.devices))
            self.add(placement.node, stage, placement.count, demand, placement.count, [])
        self.done.refused = dict(planned.refusals)

    def _queue(self, candidate: Candidate) -> None:
        """Let ready tasks that found no room wait on the lists of nodes where they will fit soon."""
        stage = candidate.stage
        measure = self.measures.of_kind(stage.kind, stage.id)
        nodes = [node for node in self.nodes.values() if self._admits(node, candidate)]
        allowances = [
            backlog.allowance(self.queues[node.id], stage.demand, measure, self.waiting(node.id, stage.id)) for node in nodes
        ]
        for node, count in zip(nodes, backlog.share(len(stage.ready), allowances), strict=True):
            if count:
                self.add(node.id, stage, count, stage.demand, 0, [])
                self.queues[node.id].add(count, measure.mean)

    def _admits(self, node: NodeRow, candidate: Candidate) -> bool:
        return (
            node.id in self.queues
            and node.pool == candidate.pool
            and "gpus" not in candidate.stage.demand
            and all(constraint.admits(node.labels) for constraint in candidate.constraints)
        )


def _candidates(jobs: Sequence[UUID] | None) -> list[Candidate]:
    """Read the stages with tasks that may be placed now, in the order of priority and submission."""
    found = rows.fetch(
        f"""SELECT {STAGE_COLUMNS}, j.pool, j.priority, j.number, j.spec -> 'constraints',
            extract(epoch FROM coalesce(s.refused_at, now()))::float8
        FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id JOIN jobs_jobtype t ON t.id = j.job_type_id
        WHERE s.ended_at IS NULL AND s.open_needs = 0 AND NOT isempty(s.unplaced)
            AND j.state = ANY(%s) AND j.held_reason = '' AND NOT t.paused AND (%s OR j.id = ANY(%s))
            AND (t.max_running IS NULL OR j.started_at IS NOT NULL OR t.max_running > (
                SELECT count(*) FROM jobs_job r WHERE r.job_type_id = t.id AND r.ended_at IS NULL
                AND (r.started_at IS NOT NULL OR r.number < j.number)))
        ORDER BY j.priority, j.number, s.position LIMIT %s""",
        [[int(state) for state in JOB_STARTABLE], jobs is None, list(jobs or ()), STAGES_A_ROUND],
    )
    candidates = [_candidate(read_stage(row), *row[STAGE_WIDTH:]) for row in found]
    return [candidate for candidate in candidates if candidate.stage.startable]


def _candidate(
    stage: StageRow, pool: str, priority: int, number: int, constraints: str | None, waiting_since: float
) -> Candidate:
    return Candidate(stage, pool, priority, number, read_constraints(constraints), waiting_since)


def read_constraints(stored: str | list[dict[str, Any]] | None) -> tuple[Constraint, ...]:
    """Read a job's stored constraints on node labels."""
    data = json.loads(stored) if isinstance(stored, str) else stored
    return tuple(Constraint(item["label"], Op(item["op"]), tuple(item["values"])) for item in data or ())


def _view(node: NodeRow, board: Board) -> NodeView:
    room = board.rooms[node.id]
    return NodeView(
        id=node.id,
        name=node.name,
        pool=node.pool,
        total=Resources(room.total),
        free=Resources(room.free),
        labels=node.labels,
        unavailable=node.unavailable,
        slot_cpus=node.slot_cpus,
    )


def _request(candidate: Candidate) -> Request:
    return Request(
        stage=candidate.stage.id,
        job=candidate.number,
        pool=candidate.pool,
        count=len(candidate.stage.ready),
        demand=Resources(candidate.stage.demand),
        priority=candidate.priority,
        submitted=candidate.number,
        waiting_since=candidate.waiting_since,
        constraints=candidate.constraints,
        gang_size=len(candidate.stage.ready) if candidate.stage.gang else 0,
    )


def _move_tasks(done: Round) -> None:
    """Move the chosen tasks to SCHEDULED; the statement moves only those that are CREATED."""
    values = rows.columns(
        (
            (assignment.stage, low, high, assignment.node)
            for assignment in done.assignments
            for low, high in assignment.listed.ranges
        ),
        4,
    )
    if values[0]:
        names = ("stages", "lows", "highs", "nodes")
        move(
            "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[], %(nodes)s::bigint[]) "
            "AS told(stage_id, low, high, node_id)",
            RANGE,
            "state = %(after)s, node_id = found.node_id, scheduled_at = now()",
            frozenset({TaskState.CREATED}),
            dict(zip(names, values, strict=True), after=int(TaskState.SCHEDULED)),
        )


def _write_entries(nodes: Iterable[NodeRow]) -> None:
    values = rows.columns(((node.id, node.last_entry) for node in nodes), 2)
    rows.execute(
        "UPDATE nodes_node n SET last_entry = c.last_entry FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, last_entry) "
        "WHERE n.id = c.id AND n.last_entry < c.last_entry",
        values,
    )


def _write_refusals(memory: Memory, done: Round, candidates: Iterable[Candidate]) -> None:
    """Store why stages wait, where that has changed; a stage that waits no more has no refusal."""
    told = {stage: json.dumps(refusal.to_dict()) for stage, refusal in done.refused.items()}
    changed = [
        (candidate.stage.id, told.get(candidate.stage.id))
        for candidate in candidates
        if memory.refusals.get(candidate.stage.id) != told.get(candidate.stage.id)
    ]
    memory.refusals = told
    if changed:
        rows.execute(
            """UPDATE jobs_stage s SET refusal = c.refusal::jsonb,
                refused_at = CASE WHEN c.refusal IS NOT NULL THEN coalesce(s.refused_at, now()) END
            FROM unnest(%s::bigint[], %s::text[]) AS c(id, refusal) WHERE s.id = c.id""",
            rows.columns(changed, 2),
        )
