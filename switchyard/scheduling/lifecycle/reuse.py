"""What had finished of a job stands in its retry; the rest runs again."""

from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import buffering, settling
from switchyard.scheduling.lifecycle.facts import Namesakes
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.lifecycle.work import UnitOfWork


def reuse(records: Records, old: UUID, new: UUID, now: float) -> list[tuple[int, int]]:
    """Copy the finished tasks of a job into its retry, and return the stages (old, new) of which there are any."""
    pairs = records.namesakes(old, new)
    work = UnitOfWork(records, now)
    work.lock_stages(pair.new for pair in pairs)
    moves, copied = [], []
    for pair in pairs:
        stage = work.stages[pair.new]
        if pair.expanded and not stage.parallelism:
            _expand(work, pair)
        # Members of a gang run together: those of one that did not finish as a whole run again.
        if stage.gang and pair.finished < pair.tasks:
            continue
        if indexes := records.copy_finished(pair.old, pair.new):
            moves.append(Move(0, pair.new, TaskState.CREATED, TaskState.FINISHED, indexes))
            copied.append((pair.old, pair.new))
    for move in moves:
        work.stages[move.stage].move(move.before, move.after, move.indexes)
    settling.settle(work, moves)
    buffering.let_through(work)
    work.write()
    return copied


def _expand(work: UnitOfWork, pair: Namesakes) -> None:
    work.records.copy_items(pair.old, pair.new, pair.tasks)
    stage = work.stages[pair.new]
    stage.parallelism = stage.counts[TaskState.CREATED] = pair.tasks
    stage.unplaced = IndexSet.span(0, pair.tasks)
