"""Let producers go on as the stages that take their results from a buffer begin with them.

Tasks that are held back are among the `blocked` of their stage, so that placing knows nothing of buffers. Jobs without any
cost nothing: their stages are not `buffered`.
"""

from collections import defaultdict

from switchyard.scheduling.buffering import Mark, fed_alone, noted, through
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import settling
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.work import UnitOfWork


def let_through(work: UnitOfWork) -> None:
    """Let go what the buffers around these stages have room for, and hold back the rest."""
    touched = [id_ for id_, stage in work.stages.items() if stage.buffered]
    if not touched:
        return
    buffers = work.records.buffers(touched)
    work.lock_stages({stage for buffer in buffers for stage in (buffer.producer, buffer.consumer)})
    begun = _begun(work, {buffer.consumer for buffer in buffers})
    ends: dict[int, list[int]] = defaultdict(list)
    for buffer in buffers:
        producer, consumer = work.stages[buffer.producer], work.stages[buffer.consumer]
        taken = fed_alone(begun[consumer.id], consumer.parallelism, producer.parallelism)
        ends[producer.id].append(through(taken, producer.parallelism, buffer.size))
    moved = {id_: min(found) for id_, found in ends.items() if _hold(work, work.stages[id_], min(found))}
    _note(work, moved)


def _begun(work: UnitOfWork, stages: set[int]) -> dict[int, IndexSet]:
    """Return which tasks of these stages have begun, or will not: all but those that wait, wherever they do."""
    waiting = {id_: work.stages[id_].unplaced for id_ in stages}
    for node, stage, listed, started in work.records.listed(stages):
        if node not in work.lists:
            waiting[stage] |= listed - started
    for entries in work.lists.values():
        for assignment in entries:
            if assignment.stage in stages:
                waiting[assignment.stage] |= assignment.listed - assignment.started
    return {id_: IndexSet.span(0, work.stages[id_].parallelism) - (waiting[id_] - work.stages[id_].spent) for id_ in stages}


def _hold(work: UnitOfWork, stage: StageRow, end: int) -> bool:
    """Hold back the tasks from this one on, and let go those before it that have their inputs; say whether any moved."""
    beyond = stage.unplaced & IndexSet.span(end, stage.parallelism)
    free = settling.with_inputs(work, stage, stage.blocked - beyond)
    blocked = (stage.blocked | beyond) - free
    if blocked.ranges == stage.blocked.ranges:
        return False
    stage.blocked, stage.changed = blocked, True
    return True


def _note(work: UnitOfWork, moved: dict[int, int]) -> None:
    """Remember when tasks were let through up to where, for ratios."""
    if not moved:
        return
    known = work.records.let_through(moved)
    marks = {id_: noted([Mark(*mark) for mark in known.get(id_, ())], Mark(work.now, end)) for id_, end in moved.items()}
    work.records.write_let_through({id_: [(mark.at, mark.through) for mark in each] for id_, each in marks.items()})
