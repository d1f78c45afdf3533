"""Match ready tasks with nodes, and record the match.

Decides nothing itself (plan and backlog of switchyard.scheduling do) and sends nothing (jobs.leader.dispatch does). One
round reads the cluster and the ready stages once and writes each table once, whatever the number of tasks.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.leader import lease
from jobs.leader.bisect import hold, isolate_jobs
from jobs.leader.descriptions import Described
from jobs.leader.memory import Memory
from jobs.leader.rounds import Candidate, Filling, Round
from jobs.store import transitions
from jobs.store.tables import STAGE_COLUMNS, STAGE_WIDTH, AssignmentRow, StageRow, read_constraints, read_stage
from jobs.store.transitions import RANGE
from jobs.store.work import Board
from nodes import selectors
from nodes.selectors import NodeRow
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, TaskState
from switchyard.scheduling.plan import Policy

#: In which order stages have their turn: by priority, then as operators have chosen.
_TURN = "j.priority, j.number * (SELECT CASE allocation WHEN 'lifo' THEN -1 ELSE 1 END FROM nodes_scheduler), s.position"
#: Asks what the nodes of new assignments must be told of their stages.
Ask = Callable[[Sequence[AssignmentRow]], rows.Answer[Described]]
STARTABLE_JOBS = "SELECT id FROM jobs_job WHERE ended_at IS NULL AND state = ANY(%s) AND held_reason = '' ORDER BY number"


def place_pending(memory: Memory, *, epoch: int, ask: Ask) -> Round:
    """Place as many ready tasks as there is room for, and fill the lists of the nodes; `ask` how to tell agents of them.

    A job that makes this fail is held with the reason, and the others are placed without it.
    """

    def startable() -> list[UUID]:
        # One of these may be what fails; tried with each of the others, it would have all of them held.
        memory.followed = set()
        return [id_ for (id_,) in rows.fetch(STARTABLE_JOBS, [[int(state) for state in JOB_STARTABLE]])]

    rounds = isolate_jobs(lambda part: _round(memory, epoch, ask, part), startable, hold)
    if len(rounds) == 1:
        return rounds[0]
    placed = [assignment for done in rounds for assignment in done.assignments]
    return Round(placed, described={stage: told for done in rounds for stage, told in done.described.items()})


def _round(memory: Memory, epoch: int, ask: Ask, jobs: Sequence[UUID] | None) -> Round:
    """Place in one transaction; only tasks of these jobs, where any are given."""
    done = Round()
    limit = memory.stages_to_look_at(time.monotonic())
    # Read before the transaction, which most turns then do without: from CREATED, only this leader moves tasks.
    candidates = _candidates(jobs, limit)
    if not candidates and not memory.followed:
        return done
    with transaction.atomic():
        board = Board()
        with rows.together():
            leads, switching, nodes = lease.ask(epoch), selectors.ask_switches(), selectors.ask_nodes()
            resources, lists = selectors.ask_resources(), _ask_lists()
            now = leads()
            switches = switching()
            if switches.paused:
                return done
            policy = Policy(allocation=switches.allocation, placement=switches.strategy)
            board.take_rooms(resources())
            filling = Filling(board, nodes(), lists(), policy, memory, done, now)
        filling.run(candidates)
        with rows.together():
            _move_tasks(done)
            _write_entries([filling.nodes[node] for node in {assignment.node for assignment in done.assignments}])
            if memory.refusals_due(time.monotonic()):
                _write_refusals(memory, done, candidates)
            described = ask(done.assignments)
            board.write()
            done.described = described()
    done.more = done.more or memory.looked_at(len(candidates), limit, spare=filling.spare)
    return done


def _candidates(jobs: Sequence[UUID] | None, limit: int) -> list[Candidate]:
    """Read the stages with tasks that may be placed now, in the order of priority and submission."""
    found = rows.fetch(
        f"""SELECT {STAGE_COLUMNS}, j.pool, j.priority, j.number, j.spec -> 'constraints',
            extract(epoch FROM coalesce(s.refused_at, now()))::float8, j.stages_total = 1
        FROM (
            SELECT s.id, j.id AS job FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
                JOIN jobs_jobtype t ON t.id = j.job_type_id
            WHERE s.ended_at IS NULL AND s.open_needs = 0 AND NOT isempty(s.unplaced)
                AND j.state = ANY(%s) AND j.held_reason = '' AND NOT t.paused AND (%s OR j.id = ANY(%s))
                AND (t.max_running IS NULL OR j.started_at IS NOT NULL OR t.max_running > (
                    SELECT count(*) FROM jobs_job r WHERE r.job_type_id = t.id AND r.ended_at IS NULL
                    AND (r.started_at IS NOT NULL OR r.number < j.number)))
            ORDER BY {_TURN} LIMIT %s
        ) first JOIN jobs_stage s ON s.id = first.id JOIN jobs_job j ON j.id = first.job
        ORDER BY {_TURN}""",
        [[int(state) for state in JOB_STARTABLE], jobs is None, list(jobs or ()), limit],
    )
    candidates = [_candidate(read_stage(row), *row[STAGE_WIDTH:]) for row in found]
    return [candidate for candidate in candidates if candidate.stage.startable]


def _ask_lists() -> rows.Answer[dict[int, dict[int, int]]]:
    """Ask how many tasks wait on lists, by node and stage; of stages that stand there with none waiting, 0."""
    asked = rows.execute("SELECT node_id, stage_id, sum(waiting)::int FROM jobs_assignment GROUP BY 1, 2")

    def answer() -> dict[int, dict[int, int]]:
        lists: dict[int, dict[int, int]] = defaultdict(dict)
        for node, stage, waiting in asked.fetchall():
            lists[node][stage] = waiting
        return lists

    return answer


def _candidate(
    stage: StageRow,
    pool: str,
    priority: int,
    number: int,
    constraints: str | None,
    waiting_since: float,
    alone: bool,  # noqa: FBT001 - a column of the row
) -> Candidate:
    return Candidate(stage, pool, priority, number, read_constraints(constraints), waiting_since, alone)


def _move_tasks(done: Round) -> None:
    """Move the chosen tasks to SCHEDULED; the statement moves only those that are CREATED."""
    values = [
        (assignment.stage, low, high, assignment.node)
        for assignment in done.assignments
        for low, high in assignment.listed.ranges
    ]
    if values:
        names = ("stages", "lows", "highs", "nodes")
        transitions.ask(
            "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[], %(nodes)s::bigint[]) "
            "AS told(stage_id, low, high, node_id)",
            RANGE,
            "state = %(after)s, node_id = found.node_id, scheduled_at = now()",
            frozenset({TaskState.CREATED}),
            dict(zip(names, rows.columns(values, 4), strict=True), after=int(TaskState.SCHEDULED)),
        )


def _write_entries(nodes: Sequence[NodeRow]) -> None:
    if not nodes:
        return
    rows.execute(
        "UPDATE nodes_node n SET last_entry = c.last_entry FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, last_entry) "
        "WHERE n.id = c.id",
        rows.columns(((node.id, node.last_entry) for node in nodes), 2),
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
