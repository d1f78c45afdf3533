"""Apply reports: in order and once, and what follows from them.

A report's number is written in the transaction that applies it; an older number changes nothing, a gap is not applied.
Older attempts, other nodes and ended tasks are ignored by the records themselves.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from switchyard.scheduling.lifecycle import buffering, gangs, outcomes, settling, start_times
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import End, Ends
from switchyard.scheduling.lifecycle.facts import Part
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.reports import Losses, Report
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import STARTABLE, Move
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.retry import ExitClass

GIVEN_BACK = "its agent gave it back though it had begun"
R = TypeVar("R", bound=Report)


@dataclass(slots=True)
class Applied(Generic[R]):
    """What came of a batch: the last report number of each node, the reports applied, whether tasks were recalled.

    `gaps` are the nodes whose reports lack some before them. `stopping` says whether a job that it touched stops, drains
    or is suspended. `ends` are those of attempts, `begun` is how many have begun.
    """

    acknowledged: dict[int, int] = field(default_factory=dict)
    accepted: list[R] = field(default_factory=list)
    gaps: set[int] = field(default_factory=set)
    recalled: bool = False
    stopping: bool = False
    ends: Ends = field(default_factory=Counter)
    begun: int = 0


def apply(
    records: Records,
    reports: Sequence[R],
    measures: Measures,
    *,
    epoch: int,
    blaming: bool = True,
    contents: Callable[[Sequence[R], float], bool] | None = None,
) -> Applied[R]:
    """Apply a batch of reports in one transaction; `blaming` says whether losses may be the tasks' fault.

    What the reports tell is applied by `contents`, if given, which takes the time of the transaction.
    """
    applied: Applied[R] = Applied()
    with records.transaction():
        with records.together():
            leads, locked = records.ask_lease(epoch), records.ask_sessions(sorted({report.node for report in reports}))
            changing = None if contents else _Changing(records, reports)
            now, last = leads(), locked()
            if changing:
                changing.take(now)
        applied.accepted = list(_in_order(reports, last))
        applied.gaps = {each.node for each in reports if lacks_some(each, *last.get(each.node, ("", 0)))}
        applied.acknowledged = {node: number for node, (_, number) in last.items()}
        if applied.accepted and changing:
            with records.together():
                records.write_numbers(_last(applied.accepted))
                applied.recalled = _apply(changing, applied.accepted, measures, blaming=blaming)
        elif applied.accepted and contents:
            records.write_numbers(_last(applied.accepted))
            applied.recalled = contents(applied.accepted, now)
        applied.ends = changing.work.ends if changing else Ends()
        applied.begun = changing.work.begun if changing else 0
        applied.stopping = changing is None or any(
            job.stopping or job.draining or job.suspended for job in changing.work.jobs.values()
        )
    return applied


def apply_contents(
    records: Records, reports: Sequence[Report], measures: Measures, now: float, *, blaming: bool
) -> tuple[bool, Ends]:
    """Apply what reports tell, in the caller's transaction; return whether that recalled tasks from nodes, and what ended."""
    with records.together():
        changing = _Changing(records, reports)
        changing.take(now)
    return _apply(changing, reports, measures, blaming=blaming), changing.work.ends


def lacks_some(report: Report, session: str, number: int) -> bool:
    """Say whether reports are missing between the last one of its session that was applied and this one."""
    return report.session == session and report.number > number + 1


class _Changing:
    """What these reports may change; asked for at once, and there once it is taken."""

    def __init__(self, records: Records, reports: Sequence[Report]) -> None:
        self.work, self.consumers = UnitOfWork(records, 0.0), settling.Consumers(records)
        stages = stages_in(reports)
        lists = self.work.ask_lists({report.node for report in reports})
        self._asked = (self.work.ask_stages(stages), lists, self.consumers.ask(stages))

    def take(self, now: float) -> None:
        """Wait for the answers."""
        self.work.now = now
        for answer in self._asked:
            answer()


def _apply(changing: _Changing, reports: Sequence[Report], measures: Measures, *, blaming: bool) -> bool:
    work = changing.work
    finished = _finish_tasks(work, reports)
    for moved in finished:
        work.ends[moved.node, moved.stage, None] += len(moved.indexes)
    ends = [*finished, *outcomes.end_others(work, [*reports, *_lost(work, reports)], blaming=blaming)]
    _move(work, ends, off_list=True)
    returns = _return_tasks(work, reports)
    _move(work, returns, off_list=True)
    measures.note_returned({returned.stage for returned in returns}, freed=bool(ends))
    starts = _start_tasks(work, reports)
    _start(work, starts)
    unheard = [moved for moved in ends if moved.before in STARTABLE]
    work.begun = sum(len(moved.indexes) for moved in [*starts, *unheard])
    work.records.update(reports)
    start_times.note_beginnings(work, reports)
    start_times.add_run_time(work, reports, measures)
    recalled = gangs.mend(work)
    settling.settle(work, [*ends, *returns], changing.consumers)
    buffering.let_through(work)
    for node in {report.node for report in reports}:
        work.promote(node)
    work.write()
    return recalled


def _in_order(reports: Iterable[R], last: dict[int, tuple[str, int]]) -> Iterable[R]:
    for report in sorted(reports, key=lambda report: report.number):
        session, number = last.get(report.node, ("", 0))
        if report.session == session and report.number == number + 1:
            last[report.node] = (session, report.number)
            yield report


def _last(reports: Iterable[R]) -> list[R]:
    """Return the last report of each node."""
    return list({report.node: report for report in reports}.values())


def stages_in(reports: Iterable[Report]) -> set[int]:
    """Return the stages that reports tell of."""
    stages: set[int] = set()
    for report in reports:
        stages.update(group.stage for group in report.finished)
        stages.update(end.stage for end in report.others)
        stages.update(stage for stage, *_ in report.starts)
        stages.update(stage for stage, *_ in report.returns)
    return stages


def _finish_tasks(work: UnitOfWork, reports: Iterable[Report]) -> list[Move]:
    """Write what finished with a result and nothing else: the path of nearly every task."""
    told = [(report.node, report.sent, group) for report in reports for group in report.finished]
    return work.records.finish(told) if told else []


def _return_tasks(work: UnitOfWork, reports: Iterable[Report]) -> list[Move]:
    """Write what was confirmed as never started: CREATED again, or CANCELED where job or gang stops."""
    told = [
        (Part(report.node, stage, attempt, low, high), _after_return(work, stage))
        for report in reports
        for stage, attempt, ranges in report.returns
        for low, high in ranges
        if stage in work.stages
    ]
    return work.records.give_back(told) if told else []


def _lost(work: UnitOfWork, reports: Iterable[Report]) -> list[Losses]:
    """Return the losses of what was given back though it had begun: its agent knows no more what became of it."""
    told = [
        (report, Part(report.node, stage, attempt, low, high))
        for report in reports
        for stage, attempt, ranges in report.returns
        for low, high in ranges
        if stage in work.stages and _may_have_begun(work, stage)
    ]
    if not told:
        return []
    lost = []
    for number, index in work.records.running([part for _, part in told]):
        report, part = told[number]
        lost.append(Losses(part.node, report.sent, [_loss(report, part, index)]))
    return lost


def _may_have_begun(work: UnitOfWork, stage: int) -> bool:
    """Say whether tasks of a stage run, or are ended and are to be tried again."""
    counts = work.stages[stage].counts
    return counts[TaskState.RUNNING] > 0 or (counts[TaskState.CANCELING] > 0 and not work.job_of(stage).stopping)


def _loss(report: Report, part: Part, index: int) -> End:
    return End(part.stage, part.attempt, index, ended=report.sent, exit_class=ExitClass.LOST, error=GIVEN_BACK)


def _after_return(work: UnitOfWork, stage: int) -> TaskState:
    stops = work.job_of(stage).stopping or work.stages[stage].broken
    return TaskState.CANCELED if stops else TaskState.CREATED


def _start_tasks(work: UnitOfWork, reports: Iterable[Report]) -> list[Move]:
    told = [
        (report.node, stage, attempt, index, report.sent - begun)
        for report in reports
        for stage, attempt, indexes, begins in report.starts
        for index, begun in zip(indexes, begins, strict=True)
    ]
    return work.records.start(told) if told else []


def _move(work: UnitOfWork, moves: Iterable[Move], *, off_list: bool) -> None:
    for moved in moves:
        work.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
        if off_list:
            work.drop(moved.node, moved.stage, moved.indexes)


def _start(work: UnitOfWork, moves: Sequence[Move]) -> None:
    """Hold what has begun without a hold, withdrawing the newest hold that has not while there is no room."""
    _move(work, moves, off_list=False)
    for moved in moves:
        settling.mark_started(work, work.stages[moved.stage])
        for assignment in work.lists[moved.node]:
            if assignment.stage == moved.stage and (begun := assignment.listed & moved.indexes):
                assignment.started |= begun
                work.hold_started(moved.node, assignment, begun - assignment.held)
