"""End what a cancel, a failure or a pause stops, and repeat the command until agents confirm it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.leader import abandonment, lease
from jobs.leader.bisect import hold, isolate
from jobs.lifecycle import settling
from jobs.store.tables import STAGE_COLUMNS, AssignmentRow, StageRow, read_stage
from jobs.store.transitions import RANGE, move
from jobs.store.work import Board
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import JobState, TaskState, sources

#: Tasks that one transaction ends at the most.
CHUNK = 5000


@dataclass(slots=True)
class Stopped:
    """What agents must be told, by session, as [stage, attempt, ranges]; and whether there is more to do.

    `cancels` are entries to end, `recalls` those to give back unless they have begun. `draining` are the jobs that drain,
    which is seen to in draining; `deprived` are the stages that get less than they were told of.
    """

    cancels: dict[str, list[list[Any]]] = field(default_factory=dict)
    recalls: dict[str, list[list[Any]]] = field(default_factory=dict)
    draining: list[UUID] = field(default_factory=list)
    deprived: set[int] = field(default_factory=set)
    more: bool = False

    def add(self, other: "Stopped") -> None:
        """Add what is to be told of other jobs."""
        for mine, others in ((self.cancels, other.cancels), (self.recalls, other.recalls)):
            for session, told in others.items():
                mine.setdefault(session, []).extend(told)
        self.deprived |= other.deprived
        self.more |= other.more

    def cancel(self, assignment: AssignmentRow) -> None:
        """Note an assignment that its agent must end."""
        told = [assignment.stage, assignment.attempt, assignment.listed.to_json()]
        self.cancels.setdefault(assignment.session, []).append(told)


def stop_jobs(*, epoch: int) -> Stopped:
    """Stop the jobs that are to; one that cannot be stopped so is ended plainly, or held with the reason."""
    jobs, draining = _stopping_jobs()
    stopped = Stopped(draining=draining)
    blame = partial(end_plainly, epoch=epoch)
    for part in isolate(jobs, lambda part: _stop(part, epoch), blame) if jobs else []:
        stopped.add(part)
    return stopped


def end_plainly(job: UUID, reason: str, *, epoch: int) -> None:
    """End a job that cannot be stopped as others are, or hold it with the reason."""
    isolate([job], lambda part: abandonment.end_plainly(part[0], epoch=epoch), lambda *_: hold(job, reason))


def _stop(jobs: Sequence[UUID], epoch: int) -> Stopped:
    """End the waiting tasks of jobs that stop, at most CHUNK of them, and mark the others CANCELING."""
    stopped = Stopped()
    with transaction.atomic():
        lease.check(epoch)
        board = Board()
        stages = open_stages(board, list(jobs))
        board.read_lists(nodes_of(stage.id for stage in stages))
        _cancel_waiting(stages, stopped)
        cancel_listed(board, {stage.id for stage in stages}, stopped)
        if not stopped.more:
            for stage in stages:
                settling.stop_unexpanded(board.job_of(stage.id), [stage])
        settling.end_stages(board, stages, settling.Consumers())
        board.write()
    return stopped


def unconfirmed_cancels() -> Stopped:
    """Return the entries that agents were told to end and have not confirmed."""
    board, stopped = Board(), Stopped()
    nodes = rows.fetch("SELECT DISTINCT node_id FROM jobs_assignment WHERE recalled")
    if nodes:
        board.read_lists(node for (node,) in nodes)
    for assignments in board.lists.values():
        for assignment in assignments:
            if assignment.recalled:
                stopped.cancel(assignment)
    return stopped


def nodes_of(stages: Iterable[int]) -> list[int]:
    """Return the nodes on whose lists tasks of these stages stand."""
    found = rows.fetch("SELECT DISTINCT node_id FROM jobs_assignment WHERE stage_id = ANY(%s)", [list(stages)])
    return [node for (node,) in found]


def cancel_unplaced(chosen: Sequence[tuple[StageRow, IndexSet]]) -> None:
    """Cancel tasks that are on no list."""
    values = [(stage.id, low, high) for stage, indexes in chosen for low, high in indexes.ranges]
    for stage, indexes in chosen:
        stage.move(TaskState.CREATED, TaskState.CANCELED, indexes)
    if values:
        names = ("stages", "lows", "highs")
        move(
            "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[]) AS told(stage_id, low, high)",
            RANGE,
            "state = %(after)s, ended_at = now()",
            frozenset({TaskState.CREATED}),
            dict(zip(names, rows.columns(values, 3), strict=True), after=int(TaskState.CANCELED)),
        )


def cancel_listed(board: Board, stages: set[int], stopped: Stopped) -> None:
    """Mark what is on lists CANCELING; it leaves that state when its agent confirms."""
    told = [a for entries in board.lists.values() for a in entries if a.stage in stages and a.listed and not a.recalled]
    if not told:
        return
    values = [(a.stage, low, high) for a in told for low, high in a.listed.ranges]
    names = ("stages", "lows", "highs")
    moves = move(
        "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[]) AS told(stage_id, low, high)",
        RANGE,
        "state = %(after)s",
        sources(TaskState.CANCELING),
        dict(zip(names, rows.columns(values, 3), strict=True), after=int(TaskState.CANCELING)),
    )
    for moved in moves:
        board.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
    for assignment in told:
        assignment.recalled = assignment.changed = True
        stopped.cancel(assignment)


def _stopping_jobs() -> tuple[list[UUID], list[UUID]]:
    """Return the jobs that stop, and those that drain."""
    found = rows.fetch(
        "(SELECT id, false FROM jobs_job WHERE ended_at IS NULL AND held_reason = '' AND state = ANY(%s) "
        "ORDER BY id LIMIT 100) UNION ALL "
        "(SELECT id, true FROM jobs_job WHERE ended_at IS NULL AND held_reason = '' AND draining ORDER BY id LIMIT 100)",
        [[int(JobState.CANCELING), int(JobState.FAILING)]],
    )
    return [id_ for id_, drains in found if not drains], [id_ for id_, drains in found if drains]


def open_stages(board: Board, jobs: list[UUID]) -> list[StageRow]:
    """Lock the jobs and read their stages that have not ended."""
    found = rows.fetch(
        f"SELECT {STAGE_COLUMNS} FROM jobs_stage s WHERE s.job_id = ANY(%s) AND s.ended_at IS NULL ORDER BY s.id",
        [jobs],
    )
    stages = [read_stage(row) for row in found]
    board.lock_stages(stage.id for stage in stages)
    return [board.stages[stage.id] for stage in stages]


def _cancel_waiting(stages: Iterable[StageRow], stopped: Stopped) -> None:
    """Cancel tasks that are on no list."""
    room, chosen = CHUNK, []
    for stage in stages:
        chosen.append((stage, stage.unplaced.take(room)[0]))
        room -= len(chosen[-1][1])
    cancel_unplaced(chosen)
    stopped.more = any(stage.unplaced for stage in stages)
