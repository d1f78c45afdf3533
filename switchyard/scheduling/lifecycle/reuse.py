"""What had finished of a job stands in its retry; the rest runs again."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import buffering, settling
from switchyard.scheduling.lifecycle.facts import Before, Copied, Origin, Reused
from switchyard.scheduling.lifecycle.frontier import Standing
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.lifecycle.work import UnitOfWork


def reuse(
    records: Records, number: int, before: Mapping[str, Before], new: UUID, standing: Sequence[Standing], now: float
) -> list[Copied]:
    """Copy what stands of a job, given by its number and stages, into its retry; return what was copied."""
    ids = records.stage_ids(new)
    work = UnitOfWork(records, now)
    work.lock_stages(ids.values())
    copies, reused = [], []
    for each in standing:
        stage, was = work.stages[ids[each.stage]], before.get(each.stage)
        if was and each.same and each.tasks:
            _expand(records, stage, was)
        if was and each.stands:
            copies.append(Copied(was.stage, stage.id, each.stands))
        if each.stands or each.reasons:
            made_by = origins(number, was, each.stands) if was else ()
            reused.append(Reused(stage.id, made_by, each.reasons))
    if copies:
        records.copy_finished(copies)
    moves = [Move(0, copy.new, TaskState.CREATED, TaskState.FINISHED, copy.tasks) for copy in copies]
    for move in moves:
        work.stages[move.stage].move(move.before, move.after, move.indexes)
    settling.settle(work, moves)
    buffering.let_through(work)
    work.write()
    if reused:
        records.write_reused(reused)
    return copies


def origins(number: int, was: Before, stands: IndexSet) -> tuple[Origin, ...]:
    """Return where results that stand were made: in the job of this number, or in one that it was a retry of itself."""
    found = [Origin(job, stage, tasks & stands) for job, stage, tasks in was.origins]
    own = stands
    for origin in found:
        own -= origin.tasks
    return tuple(origin for origin in (*found, Origin(number, was.stage, own)) if origin.tasks)


def _expand(records: Records, stage: StageRow, was: Before) -> None:
    records.copy_items(was.stage, stage.id, was.tasks)
    stage.parallelism = stage.counts[TaskState.CREATED] = was.tasks
    stage.unplaced = IndexSet.span(0, was.tasks)
    stage.changed = True
