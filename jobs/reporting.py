"""Reporting: apply what agents tell, in order and once, and settle what follows from it.

A report's number is written in the transaction that applies it; an older number changes nothing, a gap is not applied.
Older attempts, other nodes and ended tasks are ignored by the statements themselves (the guard in `_end_tasks`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from agent.messages import Report
from jobs import lease, rows, settling
from jobs.board import Board
from jobs.measuring import Measures
from scheduling.indexes import IndexSet
from scheduling.lifecycle import TaskState, sources

Moves = list[tuple[int, int, TaskState, TaskState, IndexSet]]


@dataclass(slots=True)
class Applied:
    """What came of a batch: last report number by node, and whether jobs got room or work."""

    acknowledged: dict[int, int] = field(default_factory=dict)
    accepted: list[Report] = field(default_factory=list)


def apply(reports: Sequence[Report], measures: Measures, *, epoch: int) -> Applied:
    """Apply a batch of reports in one transaction."""
    applied = Applied()
    with transaction.atomic():
        lease.check(epoch)
        last = _lock_nodes(reports)
        applied.accepted = list(_in_order(reports, last))
        applied.acknowledged = {node: number for node, (_, number) in last.items()}
        if applied.accepted:
            _apply(applied.accepted, measures)
            _write_numbers({report.node: last[report.node][1] for report in applied.accepted})
    return applied


def _apply(reports: Sequence[Report], measures: Measures) -> None:
    board = Board()
    board.lock_stages(_stages_in(reports))
    board.read_lists({report.node for report in reports})
    ends = [*_finish_tasks(reports), *_end_others(reports)]
    _move(board, ends, ended=True)
    _move(board, _return_tasks(reports), ended=True)
    _start(board, _start_tasks(reports))
    _add_run_time(board, reports, measures)
    settling.settle(board, [(stage, indexes) for _, stage, _, _, indexes in ends])
    for report in reports:
        board.promote(report.node)
    board.write()


def _lock_nodes(reports: Iterable[Report]) -> dict[int, tuple[str, int]]:
    """Return session and last report number of the nodes, locked in the order of their ids."""
    found = rows.fetch(
        "SELECT id, session, last_report FROM nodes_node WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        [sorted({report.node for report in reports})],
    )
    return {node: (session, number) for node, session, number in found}


def _in_order(reports: Iterable[Report], last: dict[int, tuple[str, int]]) -> Iterable[Report]:
    for report in sorted(reports, key=lambda report: report.number):
        session, number = last.get(report.node, ("", 0))
        if report.session == session and report.number == number + 1:
            last[report.node] = (session, report.number)
            yield report


def _stages_in(reports: Iterable[Report]) -> set[int]:
    stages = set()
    for report in reports:
        stages.update(group.stage for group in report.finished)
        stages.update(end["stage"] for end in report.others)
        stages.update(stage for stage, *_ in report.starts)
        stages.update(stage for stage, *_ in report.returns)
    return stages


def _finish_tasks(reports: Iterable[Report]) -> Moves:
    """Write what finished with a result and nothing else: the path of nearly every task."""
    columns: list[list] = [[] for _ in range(7)]  # type: ignore[type-arg]
    for report in reports:
        for group in report.finished:
            count = len(group.indexes)
            columns[0].extend([group.stage] * count)
            columns[1].extend(group.indexes)
            columns[2].extend([group.attempt] * count)
            columns[3].extend([report.node] * count)
            columns[4].extend([report.sent - begun for begun in group.begun])
            columns[5].extend([report.sent - ended for ended in group.ended])
            columns[6].extend(group.results)
    if not columns[0]:
        return []
    found = rows.fetch(
        """WITH told AS (
            SELECT * FROM unnest(%s::bigint[], %s::int[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
                AS told(stage_id, index, attempt, node_id, begun, ended, result)
        ), moved AS (
            UPDATE jobs_task t SET state = %s, result = told.result::jsonb,
                started_at = coalesce(t.started_at, greatest(t.scheduled_at, now() - told.begun * interval '1 microsecond')),
                ended_at = greatest(t.started_at, t.scheduled_at, now() - told.ended * interval '1 microsecond')
            FROM told JOIN jobs_task o ON o.stage_id = told.stage_id AND o.index = told.index
            WHERE t.stage_id = told.stage_id AND t.index = told.index
                AND t.attempt = told.attempt AND t.node_id = told.node_id AND t.state = ANY(%s)
            RETURNING t.node_id, t.stage_id, o.state, t.index
        )
        SELECT node_id, stage_id, state, range_agg(int4range(index, index + 1))::text FROM moved GROUP BY 1, 2, 3""",
        [*columns, int(TaskState.FINISHED), [int(state) for state in sources(TaskState.FINISHED)]],
    )
    return [
        (node, stage, TaskState(before), TaskState.FINISHED, IndexSet.from_multirange(indexes))
        for node, stage, before, indexes in found
    ]


def _end_others(reports: Iterable[Report]) -> Moves:
    return []


def _return_tasks(reports: Iterable[Report]) -> Moves:
    return []


def _start_tasks(reports: Iterable[Report]) -> Moves:
    told = [
        (report.node, stage, attempt, index, report.sent - begun)
        for report in reports
        for stage, attempt, indexes, begins in report.starts
        for index, begun in zip(indexes, begins, strict=True)
    ]
    if not told:
        return []
    found = rows.fetch(
        """WITH moved AS (
            UPDATE jobs_task t SET state = %s,
                started_at = greatest(t.scheduled_at, now() - told.begun * interval '1 microsecond')
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::bigint[])
                AS told(node_id, stage_id, attempt, index, begun)
            JOIN jobs_task o ON o.stage_id = told.stage_id AND o.index = told.index
            WHERE t.stage_id = told.stage_id AND t.index = told.index
                AND t.attempt = told.attempt AND t.node_id = told.node_id AND t.state = ANY(%s)
            RETURNING t.node_id, t.stage_id, o.state, t.index
        )
        SELECT node_id, stage_id, state, range_agg(int4range(index, index + 1))::text FROM moved GROUP BY 1, 2, 3""",
        [int(TaskState.RUNNING), *rows.columns(told, 5), [int(TaskState.SCHEDULED), int(TaskState.DEPLOYING)]],
    )
    return [
        (node, stage, TaskState(before), TaskState.RUNNING, IndexSet.from_multirange(indexes))
        for node, stage, before, indexes in found
    ]


def _move(board: Board, moves: Moves, *, ended: bool) -> None:
    for node, stage, before, after, indexes in moves:
        board.stages[stage].move(before, after, indexes)
        if ended:
            board.drop(node, stage, indexes)


def _start(board: Board, moves: Moves) -> None:
    """Hold what has begun without a hold, withdrawing the newest hold that has not while there is no room."""
    _move(board, moves, ended=False)
    for node, stage, _, _, indexes in moves:
        for assignment in board.lists[node]:
            if assignment.stage == stage and (begun := assignment.listed & indexes):
                assignment.started |= begun
                board.hold_started(node, assignment, begun - assignment.held)


def _add_run_time(board: Board, reports: Iterable[Report], measures: Measures) -> None:
    for report in reports:
        for group in report.finished:
            stage = board.stages[group.stage]
            seconds = (sum(group.ended) - sum(group.begun)) / 1e6
            stage.run_seconds += seconds
            measures.of_kind(stage.kind, stage.id).add(len(group.indexes), seconds)


def _write_numbers(numbers: dict[int, int]) -> None:
    rows.execute(
        "UPDATE nodes_node n SET last_report = c.number, heard_at = now() "
        "FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, number) WHERE n.id = c.id",
        [list(numbers), list(numbers.values())],
    )
