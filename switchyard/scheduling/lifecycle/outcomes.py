"""Outcomes: what a failed attempt means: another attempt, or one failure more."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import avoidance, events, quarantine
from switchyard.scheduling.lifecycle.ends import End, Judged, Outcome
from switchyard.scheduling.lifecycle.facts import Current
from switchyard.scheduling.lifecycle.reports import Ending
from switchyard.scheduling.lifecycle.rows import JobRow, StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move, live_before
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.retry import ExitClass, Failure, Retry, decide
from switchyard.scheduling.spec.parsing import retry_from_json

#: Characters of an error that a job repeats of the task that failed it.
SHOWN = 500
#: What another attempt would not change, whichever task of the stage makes it.
HOPELESS = ExitClass.UNLOADABLE, ExitClass.ENVIRONMENT
SUSPENDED = "its job was suspended"
#: What the last frame of a traceback begins with, and a line that is no part of it.
FRAME = "\n  File "
UNINDENTED = re.compile(r"\n(?=\S)")


def end_others(work: UnitOfWork, reports: Iterable[Ending], *, blaming: bool) -> list[Move]:
    """Write these ends, decide about the failed ones, and return what moved.

    `blaming` says whether losses may be the tasks' fault: not after an outage of the control plane.
    """
    told = [(report, end) for report in reports for end in report.others if end.stage in work.stages]
    if not told:
        return []
    judged = list(_judge(work, told, _current(work, told), _poison(work, told) if blaming else None))
    for item in judged:
        _note(work, item)
        _tally(work, item)
    _tell(work, judged)
    return work.records.end(judged) if judged else []


def _poison(work: UnitOfWork, told: Sequence[tuple[Ending, End]]) -> Mapping[int, IndexSet]:
    lost = [(report.node, end.stage, end.index, end.index + 1) for report, end in told if end.exit_class == ExitClass.LOST]
    return quarantine.last_chances(work.records, lost) if lost else {}


def _current(work: UnitOfWork, told: Sequence[tuple[Ending, End]]) -> dict[tuple[int, int], Current]:
    """Return the tasks whose current attempt has really ended now."""
    ends = [(report.node, end.stage, end.attempt, end.index) for report, end in told]
    return work.records.current(ends, live_before(TaskState.FINISHED))


def _judge(
    work: UnitOfWork,
    told: Sequence[tuple[Ending, End]],
    current: dict[tuple[int, int], Current],
    poison: Mapping[int, IndexSet] | None,
) -> Iterable[Judged]:
    broken = {id_ for id_, stage in work.stages.items() if stage.broken}
    unloadable: set[int] = set()
    for report, end in told:
        known = current.pop((end.stage, end.index), None)
        if known:
            stage = work.stages[end.stage]
            judged = Judged(end, report.node, report.sent, known.state, TaskState[end.outcome], known.failures, known.losses)
            if judged.after == TaskState.CANCELED and not work.job_of(stage.id).stopping:
                _decide_suspended(work.job_of(stage.id), judged, gang_is_broken=stage.id in broken)
            elif judged.after == TaskState.FAILED and stage.id in broken:
                # It fell with the member that failed first, by which alone the gang is judged.
                judged.after = TaskState.CANCELED
            elif judged.after == TaskState.FAILED and end.unfit:
                _decide_unfit(work, stage, judged, end.unfit, unloadable)
            elif judged.after == TaskState.FAILED and end.exit_class in HOPELESS:
                _decide_unloadable(stage, work.job_of(stage.id), judged, unloadable)
            elif judged.after == TaskState.FAILED and end.exit_class == ExitClass.LOST:
                _decide_lost(work.job_of(stage.id), judged, poison)
            elif judged.after == TaskState.FAILED:
                _decide(work, stage, judged)
            if stage.gang and judged.after in (TaskState.FAILED, TaskState.CREATED):
                broken.add(stage.id)
            yield judged


def _decide_suspended(job: JobRow, judged: Judged, *, gang_is_broken: bool) -> None:
    """Let a task wait again that was ended though its job does not end: it was suspended, and may be resumed by now.

    The members of a gang wait again all at once, when all of them have ended.
    """
    if job.suspended or not gang_is_broken:
        judged.end = replace(judged.end, exit_class=ExitClass.SUSPENDED, error=SUSPENDED)
    if not gang_is_broken:
        judged.after = TaskState.CREATED


def _decide_unfit(work: UnitOfWork, stage: StageRow, judged: Judged, why: str, told: set[int]) -> None:
    """Place a task elsewhere that its node cannot run; where no other node can, the stage cannot be run at all."""
    job = work.job_of(stage.id)
    hopeless = not job.stopping and avoidance.avoid(work, stage, judged.node, why)
    if hopeless:
        kind = ExitClass.ENVIRONMENT if judged.end.exit_class is ExitClass.ENVIRONMENT else ExitClass.UNLOADABLE
        judged.end = replace(judged.end, exit_class=kind, error=hopeless)
        _decide_unloadable(stage, job, judged, told)
    else:
        judged.after = TaskState.CANCELED if job.stopping else TaskState.CREATED


def _decide_unloadable(stage: StageRow, job: JobRow, judged: Judged, told: set[int]) -> None:
    """Let the first of a stage's tasks that cannot be loaded fail it; of the others, begun elsewhere, it says it all."""
    if stage.id in told or (job.stopping and stage.counts[TaskState.FAILED]):
        judged.after = TaskState.CANCELED
        return
    told.add(stage.id)
    judged.failures += 1


def _decide_lost(job: JobRow, judged: Judged, poison: Mapping[int, IndexSet] | None) -> None:
    """Count a loss that may be the task's fault, and try it again unless it is quarantined."""
    judged.losses += poison is not None
    quarantined = judged.end.index in (poison or {}).get(judged.end.stage, IndexSet())
    if not quarantined and not job.stopping:
        judged.after = TaskState.CREATED


def _decide(work: UnitOfWork, stage: StageRow, judged: Judged) -> None:
    """Count a failure and decide whether the task is tried again."""
    job = work.job_of(stage.id)
    judged.failures += 1
    failure = _failure(judged.end)
    task = stage.id << 20 | judged.end.index
    verdict = decide(retry_from_json(job.retry), failure, failures=judged.failures, task=task, seed=job.number)
    if isinstance(verdict, Retry) and not job.stopping:
        judged.after, judged.due = TaskState.CREATED, work.now + verdict.delay


def _note(work: UnitOfWork, judged: Judged) -> None:
    """Note on stage and job what became of a failed task."""
    stage, index = work.stages[judged.end.stage], judged.end.index
    job = work.job_of(stage.id)
    if judged.after == TaskState.CREATED:
        stage.spend(IndexSet.span(index, index + 1))
        if judged.due and judged.due > work.now:
            stage.delay(IndexSet.span(index, index + 1), judged.due)
    if judged.after == TaskState.FAILED:
        job.failures += 1
        job.changed = True
        if job.failures > job.max_failures or judged.end.exit_class in HOPELESS:
            job.fail(_reason(stage, index, judged.end))


def _tally(work: UnitOfWork, judged: Judged) -> None:
    """Count an end, unless its task was canceled, or fell with another member of its gang."""
    if judged.after != TaskState.CANCELED and judged.end.exit_class is not ExitClass.SUSPENDED:
        failure = None if judged.end.outcome is Outcome.FINISHED else _failure(judged.end)
        work.ends[judged.node, judged.end.stage, failure] += 1


def _failure(end: End) -> Failure:
    return Failure(end.exit_class or ExitClass.USER_ERROR, end.exit_code, end.exceptions)


def _tell(work: UnitOfWork, judged: Iterable[Judged]) -> None:
    """Tell of failures by stage and class."""
    kinds: dict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
    for item in judged:
        elsewhere = item.after == TaskState.CREATED and item.end.unfit
        if item.end.outcome is Outcome.FAILED and item.after != TaskState.CANCELED and not elsewhere:
            kinds[_kind(item)][item.end.stage, item.end.exit_class or ""] += 1
    for kind, counted in kinds.items():
        work.told += events.of_tasks(kind, {(work.stages[id_], cause): n for (id_, cause), n in counted.items()})


def _kind(item: Judged) -> str:
    lost = item.end.exit_class == ExitClass.LOST
    if item.after == TaskState.CREATED:
        return events.LOST if lost else events.RETRIED
    return events.QUARANTINED if lost else events.FAILED


def _reason(stage: StageRow, index: int, end: End) -> str:
    if end.exit_class == ExitClass.LOST:
        last = f"; at last: {_shortened(end.error)}" if end.error else ""
        return quarantine.reason(stage.name, IndexSet.span(index, index + 1)) + last
    error = (end.error or end.exit_class or "").strip()
    return f"task {index} of stage {stage.name} failed: {_shortened(error)}"


def _shortened(error: str) -> str:
    """Return the end of an error, from the beginning of a line where it has several; of a long message how it begins."""
    if len(error) <= SHOWN:
        return error
    frame = error.rfind(FRAME) + 1
    message = next((found.start() for found in UNINDENTED.finditer(error, frame)), 0) if frame else 0
    if len(error) - message > SHOWN and frame:
        return f"…{error[message : message + SHOWN]}…"
    shown = error[-SHOWN:]
    return "…\n" + (shown.partition("\n")[2] or shown)
