"""Ends of attempts other than a plain result. A failure means another attempt, or one failure more."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from database import rows
from jobs.lifecycle import avoidance, quarantine
from jobs.store import events, exact
from jobs.store.live import texts
from jobs.store.tables import JobRow, StageRow
from jobs.store.transitions import ATTEMPT_GUARD, ONE, Move, live_before, move
from jobs.store.work import Board
from switchyard.messaging.messages import Report
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.retry import ExitClass, Failure, Retry, decide
from switchyard.scheduling.spec.parsing import retry_from_json

#: Characters of an error that a job repeats of the task that failed it.
SHOWN = 500
#: What the last frame of a traceback begins with, and a line that is no part of it.
FRAME = "\n  File "
UNINDENTED = re.compile(r"\n(?=\S)")


@dataclass(slots=True)
class Judged:
    """An end and what becomes of its task."""

    end: Mapping[str, Any]
    node: int
    sent: int
    before: TaskState
    after: TaskState
    failures: int
    losses: int
    now: float
    due: float | None = None


def end_others(board: Board, reports: Iterable[Report], *, blaming: bool) -> list[Move]:
    """Write these ends, decide about the failed ones, and return what moved.

    `blaming` says whether losses may be the tasks' fault: not after an outage of the control plane.
    """
    told = [(report, end) for report in reports for end in report.others if end["stage"] in board.stages]
    if not told:
        return []
    judged = list(_judge(board, told, _current(told), _poison(told) if blaming else None))
    for item in judged:
        _note(board, item)
        _tally(board, item)
    _tell(board, judged)
    return _write(judged)


def _poison(told: Sequence[tuple[Report, Mapping[str, Any]]]) -> Mapping[int, IndexSet]:
    lost = [
        (report.node, end["stage"], end["index"], end["index"] + 1) for report, end in told if end["class"] == ExitClass.LOST
    ]
    return quarantine.last_chances(lost) if lost else {}


def _current(
    told: Sequence[tuple[Report, Mapping[str, Any]]],
) -> dict[tuple[int, int], tuple[TaskState, int, int, float]]:
    """Return the tasks whose current attempt has really ended now: state, failures, losses, and now by the database."""
    found = rows.fetch(
        """SELECT t.stage_id, t.index, t.state, t.failures, t.losses, extract(epoch FROM now())::float8
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) AS told(node_id, stage_id, attempt, index)
        JOIN jobs_task t ON t.stage_id = told.stage_id AND t.index = told.index
        WHERE t.attempt = told.attempt AND t.node_id = told.node_id AND t.state = ANY(%s)""",
        [
            *rows.columns(((r.node, end["stage"], end["attempt"], end["index"]) for r, end in told), 4),
            [int(state) for state in live_before(TaskState.FINISHED)],
        ],
    )
    return {(stage, index): (TaskState(state), *rest) for stage, index, state, *rest in found}


def _judge(
    board: Board,
    told: Sequence[tuple[Report, Mapping[str, Any]]],
    current: dict[tuple[int, int], tuple[TaskState, int, int, float]],
    poison: Mapping[int, IndexSet] | None,
) -> Iterable[Judged]:
    broken = {id_ for id_, stage in board.stages.items() if stage.broken}
    unloadable: set[int] = set()
    for report, end in told:
        known = current.pop((end["stage"], end["index"]), None)
        if known:
            stage = board.stages[end["stage"]]
            judged = Judged(end, report.node, report.sent, known[0], TaskState[end["outcome"]], *known[1:])
            if judged.after == TaskState.FAILED and stage.id in broken:
                # It fell with the member that failed first, by which alone the gang is judged.
                judged.after = TaskState.CANCELED
            elif judged.after == TaskState.FAILED and end.get("unfit"):
                _decide_unfit(board, stage, judged, unloadable)
            elif judged.after == TaskState.FAILED and end["class"] == ExitClass.UNLOADABLE:
                _decide_unloadable(stage, board.job_of(stage.id), judged, unloadable)
            elif judged.after == TaskState.FAILED and end["class"] == ExitClass.LOST:
                _decide_lost(board.job_of(stage.id), judged, poison)
            elif judged.after == TaskState.FAILED:
                _decide(stage, board.job_of(stage.id), judged)
            if stage.gang and judged.after in (TaskState.FAILED, TaskState.CREATED):
                broken.add(stage.id)
            yield judged


def _decide_unfit(board: Board, stage: StageRow, judged: Judged, told: set[int]) -> None:
    """Place a task elsewhere that its node cannot run; where no other node can, the stage cannot be run at all."""
    job = board.job_of(stage.id)
    hopeless = not job.stopping and avoidance.avoid(board, stage, judged.node, judged.end["unfit"])
    if hopeless:
        judged.end = {**judged.end, "class": ExitClass.UNLOADABLE, "error": hopeless}
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
    quarantined = judged.end["index"] in (poison or {}).get(judged.end["stage"], IndexSet())
    if not quarantined and not job.stopping:
        judged.after = TaskState.CREATED


def _decide(stage: StageRow, job: JobRow, judged: Judged) -> None:
    """Count a failure and decide whether the task is tried again."""
    judged.failures += 1
    failure = _failure(judged.end)
    task = stage.id << 20 | judged.end["index"]
    verdict = decide(retry_from_json(job.retry), failure, failures=judged.failures, task=task, seed=job.number)
    if isinstance(verdict, Retry) and not job.stopping:
        judged.after, judged.due = TaskState.CREATED, judged.now + verdict.delay


def _note(board: Board, judged: Judged) -> None:
    """Note on stage and job what became of a failed task."""
    stage, index = board.stages[judged.end["stage"]], judged.end["index"]
    job = board.job_of(stage.id)
    if judged.after == TaskState.CREATED:
        stage.spend(IndexSet.span(index, index + 1))
        if judged.due and judged.due > judged.now:
            stage.delay(IndexSet.span(index, index + 1), judged.due)
    if judged.after == TaskState.FAILED:
        job.failures += 1
        job.changed = True
        if job.failures > job.max_failures or judged.end["class"] == ExitClass.UNLOADABLE:
            job.fail(_reason(stage, index, judged.end))


def _tally(board: Board, judged: Judged) -> None:
    """Count an end, unless its task was canceled, or fell with another member of its gang."""
    if judged.after != TaskState.CANCELED:
        failure = None if judged.end["outcome"] == TaskState.FINISHED.name else _failure(judged.end)
        board.ends[judged.node, judged.end["stage"], failure] += 1


def _failure(end: Mapping[str, Any]) -> Failure:
    return Failure(ExitClass(end["class"]), end.get("exit_code"), tuple(end.get("exceptions") or ()))


def _tell(board: Board, judged: Iterable[Judged]) -> None:
    """Tell of failures by stage and class."""
    kinds: dict[str, Counter[tuple[int, str]]] = defaultdict(Counter)
    for item in judged:
        elsewhere = item.after == TaskState.CREATED and item.end.get("unfit")
        if item.end["outcome"] == TaskState.FAILED.name and item.after != TaskState.CANCELED and not elsewhere:
            kinds[_kind(item)][item.end["stage"], item.end["class"] or ""] += 1
    for kind, counted in kinds.items():
        board.told += events.of_tasks(kind, {(board.stages[id_], cause): n for (id_, cause), n in counted.items()})


def _kind(item: Judged) -> str:
    lost = item.end["class"] == ExitClass.LOST
    if item.after == TaskState.CREATED:
        return events.LOST if lost else events.RETRIED
    return events.QUARANTINED if lost else events.FAILED


def _reason(stage: StageRow, index: int, end: Mapping[str, Any]) -> str:
    if end["class"] == ExitClass.LOST:
        last = f"; at last: {_shortened(end['error'])}" if end.get("error") else ""
        return quarantine.reason(stage.name, IndexSet.span(index, index + 1)) + last
    error = (end.get("error") or end["class"] or "").strip()
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


def _write(judged: list[Judged]) -> list[Move]:
    if not judged:
        return []
    names = [
        "nodes",
        "stages",
        "indexes",
        "attempts",
        "afters",
        "failures",
        "losses",
        "begun",
        "ended",
        "due",
        "results",
        "digests",
        "classes",
        "codes",
        "errors",
        "metrics",
        "accumulators",
        "logs",
        "inputs",
    ]
    return move(
        """unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(indexes)s::int[], %(attempts)s::int[], %(afters)s::smallint[],
            %(failures)s::int[], %(losses)s::int[], %(begun)s::bigint[], %(ended)s::bigint[], %(due)s::float8[],
            %(results)s::text[], %(digests)s::text[], %(classes)s::text[], %(codes)s::int[], %(errors)s::text[],
            %(metrics)s::text[], %(accumulators)s::text[], %(logs)s::text[], %(inputs)s::bigint[])
            AS told(node_id, stage_id, index, attempt, after, failures, losses, begun, ended, due, result, digest, exit_class,
                exit_code, error, metrics, accumulators, logs, inputs)""",
        f"{ONE} AND {ATTEMPT_GUARD}",
        f"""state = found.after, failures = found.failures, losses = found.losses, not_before = to_timestamp(found.due),
            started_at = coalesce(t.started_at, greatest(t.scheduled_at, now() - found.begun * interval '1 microsecond')),
            ended_at = greatest(t.started_at, t.scheduled_at, now() - found.ended * interval '1 microsecond'),
            result = {exact.RESULT}, result_digest = found.digest, exit_class = found.exit_class,
            exit_code = found.exit_code, error = found.error, metrics = found.metrics::jsonb,
            accumulators = found.accumulators::jsonb, logs = found.logs::jsonb,
            inputs = nullif(found.inputs, 0)""",
        live_before(TaskState.FINISHED),
        dict(zip(names, rows.columns((_values(item) for item in judged), len(names)), strict=True)),
    )


def _values(item: Judged) -> tuple[Any, ...]:
    end = item.end
    begun = end.get("begun")
    return (
        item.node,
        end["stage"],
        end["index"],
        end["attempt"],
        int(item.after),
        item.failures,
        item.losses,
        None if begun is None else item.sent - begun,
        item.sent - end["ended"],
        item.due,
        end.get("result"),
        end.get("result_digest"),
        end.get("class"),
        end.get("exit_code"),
        end.get("error"),
        *texts(end, "metrics", "accumulators", "logs"),
        end.get("inputs"),
    )
