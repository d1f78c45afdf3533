"""Apply the reports of agents, in order and once, and settle what follows from them.

A report's number is written in the transaction that applies it; an older number changes nothing, a gap is not applied.
Older attempts, other nodes and ended tasks are ignored by the statements themselves: see ATTEMPT_GUARD.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from database import rows
from jobs.leader import gangs, lease
from jobs.leader.rollback import lacks_some
from jobs.lifecycle import buffering, endings, settling, start_times
from jobs.store import exact, live
from jobs.store.transitions import ATTEMPT_GUARD, ONE, RANGE, Move, live_before, move
from jobs.store.work import Board
from jobs.telemetry.durations import Measures
from jobs.telemetry.outcomes import Ends
from nodes.trust import TRUSTED
from switchyard.messaging.messages import Report
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.retry import ExitClass

GIVEN_BACK = "its agent gave it back though it had begun"
#: States that an agent may confirm as never started.
NOT_BEGUN = frozenset({TaskState.SCHEDULED, TaskState.DEPLOYING, TaskState.RECONCILING, TaskState.CANCELING})


@dataclass(slots=True)
class Applied:
    """What came of a batch: the last report number of each node, the reports applied, whether tasks were recalled.

    `gaps` are the nodes whose reports lack some before them. `stopping` says whether a job that it touched stops or drains.
    `ends` are those of attempts, `begun` is how many have begun.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    accepted: list[Report] = field(default_factory=list)
    gaps: set[int] = field(default_factory=set)
    recalled: bool = False
    stopping: bool = False
    ends: Ends = field(default_factory=Counter)
    begun: int = 0


def apply(
    reports: Sequence[Report],
    measures: Measures,
    *,
    epoch: int,
    blaming: bool = True,
    contents: Callable[[Sequence[Report]], bool] | None = None,
) -> Applied:
    """Apply a batch of reports in one transaction; `blaming` says whether losses may be the tasks' fault.

    What the reports tell is applied by `contents`, if given (see salvaging).
    """
    applied = Applied()
    with transaction.atomic():
        with rows.together():
            leads, locked, changing = lease.ask(epoch), _lock_nodes(reports), None if contents else _Changing(reports)
            leads()
            last = locked()
            if changing:
                changing.take()
        applied.accepted = list(_in_order(reports, last))
        applied.gaps = {each.node for each in reports if lacks_some(each, *last.get(each.node, ("", 0)))}
        applied.acknowledged = {node: number for node, (_, number) in last.items()}
        if applied.accepted and changing:
            with rows.together():
                _write_numbers(applied)
                applied.recalled = _apply(changing, applied.accepted, measures, blaming=blaming)
        elif applied.accepted and contents:
            _write_numbers(applied)
            applied.recalled = contents(applied.accepted)
        applied.ends = changing.board.ends if changing else Ends()
        applied.begun = changing.board.begun if changing else 0
        applied.stopping = changing is None or any(job.stopping or job.draining for job in changing.board.jobs.values())
    return applied


def apply_contents(reports: Sequence[Report], measures: Measures, *, blaming: bool) -> tuple[bool, Ends]:
    """Apply what reports tell, in the caller's transaction; return whether that recalled tasks from nodes, and what ended."""
    with rows.together():
        changing = _Changing(reports)
        changing.take()
    return _apply(changing, reports, measures, blaming=blaming), changing.board.ends


class _Changing:
    """What these reports may change; asked for at once, and there once it is taken."""

    def __init__(self, reports: Sequence[Report]) -> None:
        self.board, self.consumers = Board(), settling.Consumers()
        stages = stages_in(reports)
        lists = self.board.ask_lists({report.node for report in reports})
        self._asked = (self.board.ask_stages(stages), lists, self.consumers.ask(stages))

    def take(self) -> None:
        """Wait for the answers."""
        for answer in self._asked:
            answer()


def _apply(changing: _Changing, reports: Sequence[Report], measures: Measures, *, blaming: bool) -> bool:
    board = changing.board
    finished = _finish_tasks(reports)
    for moved in finished:
        board.ends[moved.node, moved.stage, None] += len(moved.indexes)
    ends = [*finished, *endings.end_others(board, [*reports, *_lost(board, reports)], blaming=blaming)]
    _move(board, ends, off_list=True)
    returns = _return_tasks(board, reports)
    _move(board, returns, off_list=True)
    measures.note_returned({returned.stage for returned in returns}, freed=bool(ends))
    starts = _start_tasks(reports)
    _start(board, starts)
    unheard = [moved for moved in ends if moved.before in (TaskState.SCHEDULED, TaskState.DEPLOYING)]
    board.begun = sum(len(moved.indexes) for moved in [*starts, *unheard])
    live.write_updates(reports)
    start_times.note_beginnings(board, reports)
    start_times.add_run_time(board, reports, measures)
    recalled = gangs.mend(board)
    settling.settle(board, [*ends, *returns], changing.consumers)
    buffering.let_through(board)
    for node in {report.node for report in reports}:
        board.promote(node)
    board.write()
    return recalled


def _lock_nodes(reports: Iterable[Report]) -> rows.Answer[dict[int, tuple[str, int]]]:
    """Ask for session and last report number of the nodes, and lock them in the order of their ids."""
    asked = rows.execute(
        "SELECT id, session, last_report FROM nodes_node WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        [sorted({report.node for report in reports})],
    )
    return lambda: {node: (session, number) for node, session, number in asked.fetchall()}


def _in_order(reports: Iterable[Report], last: dict[int, tuple[str, int]]) -> Iterable[Report]:
    for report in sorted(reports, key=lambda report: report.number):
        session, number = last.get(report.node, ("", 0))
        if report.session == session and report.number == number + 1:
            last[report.node] = (session, report.number)
            yield report


def stages_in(reports: Iterable[Report]) -> set[int]:
    """Return the stages that reports tell of."""
    stages: set[int] = set()
    for report in reports:
        stages.update(group.stage for group in report.finished)
        stages.update(end["stage"] for end in report.others)
        stages.update(stage for stage, *_ in report.starts)
        stages.update(stage for stage, *_ in report.returns)
    return stages


def _finish_tasks(reports: Iterable[Report]) -> list[Move]:
    """Write what finished with a result and nothing else: the path of nearly every task."""
    told = [(report, group, len(group.indexes)) for report in reports for group in report.finished]
    if not told:
        return []
    names = ("indexes", "begun", "ended", "results", "metrics", "inputs")
    columns: list[list[Any]] = [[] for _ in names]
    indexes, begun, ended, results, metrics, inputs = columns
    for report, group, _ in told:
        # Before them may be others without; behind them PostgreSQL fills up what is missing.
        pointed = [text and exact.with_points(text) for text in group.metrics or ()]
        for column, values in ((metrics, pointed), (inputs, group.inputs)):
            if values:
                column.extend([None] * (len(indexes) - len(column)))
                column.extend(values)
        indexes.extend(group.indexes)
        begun.extend([report.sent - at for at in group.begun])
        ended.extend([report.sent - at for at in group.ended])
        results.extend(group.results)
    alike = {
        "stages": rows.repeated((group.stage, count) for _, group, count in told),
        "attempts": rows.repeated((group.attempt, count) for _, group, count in told),
        "nodes": rows.repeated((report.node, count) for report, _, count in told),
    }
    return move(
        "unnest(%(stages)s::bigint[], %(indexes)s::int[], %(attempts)s::int[], %(nodes)s::bigint[], %(begun)s::bigint[], "
        "%(ended)s::bigint[], %(results)s::text[], %(metrics)s::text[], %(inputs)s::bigint[]) "
        "AS told(stage_id, index, attempt, node_id, begun, ended, result, metrics, inputs)",
        f"{ONE} AND {ATTEMPT_GUARD}",
        f"""state = %(after)s, result = {exact.RESULT}, metrics = coalesce(found.metrics::jsonb, t.metrics),
            inputs = nullif(found.inputs, 0),
            started_at = coalesce(t.started_at, greatest(t.scheduled_at, now() - found.begun * interval '1 microsecond')),
            ended_at = greatest(t.started_at, t.scheduled_at, now() - found.ended * interval '1 microsecond')""",
        live_before(TaskState.FINISHED),
        {**alike, **dict(zip(names, map(rows.array, columns), strict=True)), "after": int(TaskState.FINISHED)},
    )


def _return_tasks(board: Board, reports: Iterable[Report]) -> list[Move]:
    """Write what was confirmed as never started: CREATED again, or CANCELED where job or gang stops."""
    told = [
        (report.node, stage, attempt, low, high, _after_return(board, stage))
        for report in reports
        for stage, attempt, ranges in report.returns
        for low, high in ranges
        if stage in board.stages
    ]
    if not told:
        return []
    names = ("nodes", "stages", "attempts", "lows", "highs", "afters")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(attempts)s::int[], %(lows)s::int[], %(highs)s::int[], "
        "%(afters)s::smallint[]) AS told(node_id, stage_id, attempt, low, high, after)",
        f"{RANGE} AND {ATTEMPT_GUARD}",
        """state = found.after, scheduled_at = CASE WHEN found.after <> %(created)s THEN t.scheduled_at END,
            ended_at = CASE WHEN found.after <> %(created)s THEN greatest(t.scheduled_at, now()) END""",
        NOT_BEGUN,
        dict(zip(names, rows.columns(told, 6), strict=True), created=int(TaskState.CREATED)),
    )


def _lost(board: Board, reports: Iterable[Report]) -> list[Report]:
    """Return as reports of a loss what was given back though it had begun: its agent knows no more what became of it."""
    told = [
        (number, report.node, stage, attempt, low, high)
        for number, report in enumerate(reports)
        for stage, attempt, ranges in report.returns
        for low, high in ranges
        if stage in board.stages and board.stages[stage].counts[TaskState.RUNNING]
    ]
    if not told:
        return []
    found = rows.fetch(
        f"""SELECT told.number, o.stage_id, o.attempt, o.index
        FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[])
            AS told(number, node_id, stage_id, attempt, low, high)
        JOIN jobs_task o ON {RANGE} AND {ATTEMPT_GUARD} AND o.state = %s""",
        [*rows.columns(told, 6), int(TaskState.RUNNING)],
    )
    by_number = dict(enumerate(reports))
    return [
        Report(by_number[number].node, "", 0, sent=by_number[number].sent, others=[_loss(by_number[number], *task)])
        for number, *task in found
    ]


def _loss(report: Report, stage: int, attempt: int, index: int) -> dict[str, Any]:
    task = {"stage": stage, "attempt": attempt, "index": index, "ended": report.sent}
    return {**task, "outcome": "FAILED", "class": ExitClass.LOST, "error": GIVEN_BACK}


def _after_return(board: Board, stage: int) -> int:
    stops = board.job_of(stage).stopping or board.stages[stage].broken
    return TaskState.CANCELED if stops else TaskState.CREATED


def _start_tasks(reports: Iterable[Report]) -> list[Move]:
    told = [
        (report.node, stage, attempt, index, report.sent - begun)
        for report in reports
        for stage, attempt, indexes, begins in report.starts
        for index, begun in zip(indexes, begins, strict=True)
    ]
    if not told:
        return []
    names = ("nodes", "stages", "attempts", "indexes", "begun")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(attempts)s::int[], %(indexes)s::int[], %(begun)s::bigint[]) "
        "AS told(node_id, stage_id, attempt, index, begun)",
        f"{ONE} AND {ATTEMPT_GUARD}",
        """state = %(after)s,
            started_at = greatest(t.scheduled_at, now() - found.begun * interval '1 microsecond')""",
        frozenset({TaskState.SCHEDULED, TaskState.DEPLOYING}),
        dict(zip(names, rows.columns(told, 5), strict=True), after=int(TaskState.RUNNING)),
    )


def _move(board: Board, moves: Iterable[Move], *, off_list: bool) -> None:
    for moved in moves:
        board.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
        if off_list:
            board.drop(moved.node, moved.stage, moved.indexes)


def _start(board: Board, moves: Sequence[Move]) -> None:
    """Hold what has begun without a hold, withdrawing the newest hold that has not while there is no room."""
    _move(board, moves, off_list=False)
    for moved in moves:
        settling.mark_started(board, board.stages[moved.stage])
        for assignment in board.lists[moved.node]:
            if assignment.stage == moved.stage and (begun := assignment.listed & moved.indexes):
                assignment.started |= begun
                board.hold_started(moved.node, assignment, begun - assignment.held)


def _write_numbers(applied: Applied) -> None:
    last = {report.node: report for report in applied.accepted}
    rows.execute(
        "UPDATE nodes_node n SET last_report = c.number, "
        f"heard_at = CASE WHEN {TRUSTED} THEN now() ELSE n.heard_at END, "
        "settled_at = CASE WHEN c.pause > n.confirmed_pause THEN now() ELSE n.settled_at END, "
        "confirmed_pause = greatest(n.confirmed_pause, c.pause) "
        "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS c(id, number, pause) WHERE n.id = c.id",
        [list(last), [report.number for report in last.values()], [report.pause for report in last.values()]],
    )
