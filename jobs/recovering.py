"""Recovering: silent nodes, ended sessions, backoffs and timeouts that are due. What the tick looks after.

Silence is judged by the database's clock and never longer than this leader has been listening: a takeover, a restart of
the database or a stall gives every node its full time again.
"""

import time
from collections.abc import Iterable

from django.db import transaction

from jobs import lease, rows, settling
from jobs.board import Board
from jobs.ending import LOSSES
from jobs.moves import Move, read_moves
from jobs.tables import STAGE_COLUMNS, STAGE_WIDTH, AssignmentRow, read_stage
from scheduling.indexes import IndexSet
from scheduling.lifecycle import LISTED, JobState, TaskState

#: Seconds of silence after which a node is OFFLINE, and after which its session has ended.
SILENT = 30.0
LOST = 60.0


def hear(nodes: Iterable[tuple[int, str, str]]) -> None:
    """Note signs of life, given as (node, session, figures as JSON text)."""
    values = rows.columns(nodes, 3)
    rows.execute(
        """UPDATE nodes_node n SET heard_at = now(), figures = c.figures::jsonb
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS c(id, session, figures)
        WHERE n.id = c.id AND n.session = c.session""",
        values,
    )


def watch_nodes(*, listening: float, epoch: int) -> None:
    """Mark nodes silent or heard again, and end sessions that were silent for too long or replaced.

    `listening` is for how many seconds the caller has been able to hear.
    """
    heard = "least(extract(epoch FROM now() - heard_at), %s)"
    silent = rows.fetch(f"SELECT id FROM nodes_node WHERE session <> '' AND {heard} > %s", [listening, SILENT])
    back = rows.fetch(
        f"SELECT id FROM nodes_node WHERE silent_since IS NOT NULL AND session <> '' AND {heard} <= %s",
        [listening, SILENT],
    )
    lost = rows.fetch(f"SELECT id FROM nodes_node WHERE session <> '' AND {heard} > %s", [listening, LOST])
    left = rows.fetch(
        "SELECT DISTINCT a.node_id FROM jobs_assignment a JOIN nodes_node n ON n.id = a.node_id WHERE a.session <> n.session"
    )
    _mark([id_ for (id_,) in silent], epoch, silent=True)
    _mark([id_ for (id_,) in back], epoch, silent=False)
    for (node,) in {*lost, *left}:
        end_session(node, epoch=epoch, close=(node,) in lost)


def end_session(node: int, *, epoch: int, close: bool) -> None:
    """Give up what stands on the node's list from a session that is over; with `close`, the node has none from now on."""
    with transaction.atomic():
        lease.check(epoch)
        ((session,),) = rows.fetch("SELECT session FROM nodes_node WHERE id = %s FOR NO KEY UPDATE", [node])
        if close:
            rows.execute("UPDATE nodes_node SET session = '' WHERE id = %s", [node])
        board = Board()
        board.read_lists([node])
        gone = [assignment for assignment in board.lists[node] if close or assignment.session != session]
        board.lock_stages(assignment.stage for assignment in gone)
        moves = _lose(board, gone)
        for move in moves:
            board.stages[move.stage].move(move.before, move.after, move.indexes)
            if move.after == TaskState.CREATED:
                board.stages[move.stage].spend(move.indexes)
            if move.after == TaskState.FAILED:
                job = board.job_of(move.stage)
                job.failures, job.changed = job.failures + len(move.indexes), True
                job.fail(f"stage {board.stages[move.stage].name}: lost {LOSSES} times with the node that ran it")
        for assignment in gone:
            board.drop(node, assignment.stage, assignment.listed)
        settling.settle(board, moves)
        board.promote(node)
        board.write()


def _lose(board: Board, gone: list[AssignmentRow]) -> list[Move]:
    """Write the loss of all attempts on these assignments: they may have begun, so that their numbers are spent."""
    told = [
        (a.node, a.stage, low, high, begun, int(board.job_of(a.stage).stopping))
        for a in gone
        for begun, indexes in ((1, a.started), (0, a.listed - a.started))
        for low, high in indexes.ranges
    ]
    if not told:
        return []
    found = rows.fetch(
        f"""WITH moved AS (
            UPDATE jobs_task t SET losses = t.losses + told.begun, exit_class = 'lost', error = 'the node was lost',
                ended_at = greatest(t.started_at, t.scheduled_at, now()), not_before = NULL,
                state = CASE WHEN told.stopping = 1 THEN %s WHEN t.losses + told.begun >= %s THEN %s ELSE %s END
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[])
                AS told(node_id, stage_id, low, high, begun, stopping)
            JOIN jobs_task o ON o.stage_id = told.stage_id AND o.index >= told.low AND o.index < told.high
            WHERE t.stage_id = o.stage_id AND t.index = o.index AND t.node_id = told.node_id AND t.state = ANY(%s)
            RETURNING t.node_id, t.stage_id, o.state AS before, t.state AS after, t.index
        ) {read_moves("moved")}""",
        [
            int(TaskState.CANCELED),
            LOSSES,
            int(TaskState.FAILED),
            int(TaskState.CREATED),
            *rows.columns(told, 6),
            [int(state) for state in LISTED],
        ],
    )
    return [Move.read(row) for row in found]


def _mark(nodes: list[int], epoch: int, *, silent: bool) -> None:
    """Turn the tasks of silent nodes RECONCILING, and back when they are heard again."""
    if not nodes:
        return
    with transaction.atomic():
        lease.check(epoch)
        rows.execute(
            "UPDATE nodes_node SET silent_since = CASE WHEN %s THEN coalesce(silent_since, now()) END WHERE id = ANY(%s)",
            [silent, nodes],
        )
        board = Board()
        board.read_lists(nodes)
        assignments = [a for entries in board.lists.values() for a in entries if not a.recalled]
        board.lock_stages(a.stage for a in assignments)
        for assignment in assignments:
            _reconcile(board, assignment, silent=silent)
        board.write()


def _reconcile(board: Board, assignment: AssignmentRow, *, silent: bool) -> None:
    for state, indexes in (
        (TaskState.RUNNING, assignment.started),
        (TaskState.SCHEDULED, assignment.listed - assignment.started),
    ):
        before, after = (state, TaskState.RECONCILING) if silent else (TaskState.RECONCILING, state)
        for low, high in indexes.ranges:
            moved = rows.fetch(
                "WITH moved AS (UPDATE jobs_task SET state = %s WHERE stage_id = %s AND index >= %s AND index < %s "
                "AND state = %s AND node_id = %s RETURNING index) "
                "SELECT range_agg(int4range(index, index + 1))::text FROM moved",
                [int(after), assignment.stage, low, high, int(before), assignment.node],
            )
            if moved[0][0]:
                board.stages[assignment.stage].move(before, after, IndexSet.from_multirange(moved[0][0]))


def release_due(*, epoch: int) -> None:
    """Let tasks be placed whose backoff is over."""
    found = rows.fetch(
        f"SELECT {STAGE_COLUMNS} FROM jobs_stage s WHERE s.ended_at IS NULL AND s.next_due <= now() ORDER BY s.id LIMIT 1000"
    )
    if not found:
        return
    with transaction.atomic():
        lease.check(epoch)
        board = Board()
        board.lock_stages(read_stage(row[:STAGE_WIDTH]).id for row in found)
        for stage in board.stages.values():
            waiting = rows.fetch(
                "SELECT index, extract(epoch FROM not_before)::float8 FROM jobs_task WHERE stage_id = %s AND index = ANY(%s)",
                [stage.id, list(stage.delayed)],
            )
            now = time.time()
            stage.delayed = IndexSet.from_indexes(index for index, due in waiting if due and due > now)
            stage.next_due = min((due for _, due in waiting if due and due > now), default=None)
            stage.changed = True
        board.write()


def expire_jobs(*, epoch: int) -> None:
    """Fail jobs that waited or ran for longer than they may."""
    with transaction.atomic():
        lease.check(epoch)
        for column, condition, name, text in (
            ("created_at", "started_at IS NULL", "queue", "waited longer than its queue timeout"),
            ("started_at", "started_at IS NOT NULL", "run", "ran longer than its run timeout"),
        ):
            rows.execute(
                f"""UPDATE jobs_job SET state = %s, error = %s WHERE ended_at IS NULL AND {condition} AND state = ANY(%s)
                AND {column} + (spec -> 'timeouts' ->> '{name}')::float8 * interval '1 second' < now()""",
                [int(JobState.FAILING), f"the job {text}", [int(JobState.CREATED), int(JobState.RUNNING)]],
            )
