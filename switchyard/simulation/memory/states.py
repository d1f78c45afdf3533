"""States that tasks have saved, in memory: which are kept, and which a task goes on from."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import LISTED
from switchyard.simulation.memory.rows import SavedRecord, StateRecord
from switchyard.simulation.memory.store import Store


def keep(store: Store, node: int, stage: int, checkpoint: int | None, states: Sequence[StateRecord]) -> IndexSet:
    """Keep states of tasks that run on a node, and return of which tasks.

    Those of other attempts are left out, and all of them if nobody waits for the checkpoint any more.
    """
    if checkpoint is not None and not _is_in_progress(store, checkpoint, stage):
        return IndexSet()
    kept = [state for state in states if _is_current(store, node, stage, state)]
    if not kept:
        return IndexSet()
    tasks = IndexSet.from_indexes(state.index for state in kept)
    saved = SavedRecord(store.next_id(), stage, checkpoint, tasks, tuple(sorted(kept, key=lambda state: state.index)))
    store.saved_states[saved.id] = saved
    if checkpoint is None:
        for other in list(store.saved_states.values()):
            if (other.stage, other.checkpoint) == (stage, None) and other.id < saved.id and not other.tasks - tasks:
                del store.saved_states[other.id]
    return tasks


def last(store: Store, stage: int, low: int, high: int) -> list[tuple[SavedRecord, list[StateRecord]]]:
    """Return the states that tasks of a stage from `low` up to `high` go on from, by where they are kept."""
    wanted = IndexSet.span(low, high)
    found = []
    for saved in sorted(store.saved_states.values(), key=lambda saved: -saved.id):
        if saved.stage == stage and _is_usable(store, saved):
            here = saved.tasks & wanted
            wanted -= here
            if kept := [state for state in saved.states if state.index in here and state.size >= 0]:
                found.append((saved, kept))
    return found


def answered(store: Store, checkpoint: int) -> dict[int, IndexSet]:
    """Return the tasks of each stage that have answered a checkpoint."""
    found: dict[int, IndexSet] = {}
    for saved in store.saved_states.values():
        if saved.checkpoint == checkpoint:
            found[saved.stage] = found.get(saved.stage, IndexSet()) | saved.tasks
    return found


def sizes(store: Store, checkpoint: int) -> Iterator[int]:
    """Yield the sizes of the states of a checkpoint."""
    for saved in store.saved_states.values():
        if saved.checkpoint == checkpoint:
            yield sum(max(0, state.size) for state in saved.states)


def discard(store: Store, checkpoints: Collection[int]) -> None:
    """Delete the states of checkpoints, which nothing goes on from any more."""
    for saved in list(store.saved_states.values()):
        if saved.checkpoint in checkpoints:
            del store.saved_states[saved.id]


def retire(store: Store, checkpoints: Collection[int]) -> None:
    """Delete the states of checkpoints that newer ones replace, but for those of tasks that have no newer state."""
    for saved in list(store.saved_states.values()):
        if (
            saved.checkpoint in checkpoints
            and not store.stages[saved.stage].row.ended
            and not is_together(store, saved.stage)
        ):
            others = [each for each in store.saved_states.values() if each.stage == saved.stage and each.id > saved.id]
            newer = [each.tasks for each in others if each.checkpoint is None or _stands(store, each.checkpoint)]
            if saved.tasks - reduce(or_, newer, IndexSet()):
                store.saved_states[saved.id] = replace(saved, checkpoint=None)
    discard(store, checkpoints)


def is_together(store: Store, stage: int) -> bool:
    """Return whether a stage is a gang whose members go on from one checkpoint."""
    row = store.stages[stage].row
    return row.gang and store.jobs[row.job_id].checkpoint is not None


def newest_whole(store: Store, stage: int) -> int | None:
    """Return the newest checkpoint that has all members of a gang."""
    row = store.stages[stage].row
    everyone = IndexSet.span(0, row.parallelism)
    completed = [each.id for each in store.checkpoints.values() if each.job == row.job_id and each.completed]
    whole = [id_ for id_ in completed if answered(store, id_).get(stage, IndexSet()) == everyone]
    return max(whole, default=None)


def _is_in_progress(store: Store, checkpoint: int, stage: int) -> bool:
    known = store.checkpoints.get(checkpoint)
    return bool(known and known.ended_at is None and known.job == store.stages[stage].row.job_id)


def _stands(store: Store, checkpoint: int) -> bool:
    return store.checkpoints[checkpoint].completed and not store.checkpoints[checkpoint].discarded


def _is_current(store: Store, node: int, stage: int, state: StateRecord) -> bool:
    task = store.tasks.get((stage, state.index))
    return bool(task and (task.node, task.attempt) == (node, state.attempt) and task.state in LISTED)


def _is_usable(store: Store, saved: SavedRecord) -> bool:
    """Return whether tasks may go on from these states: those of a gang only from checkpoints, if its job has any."""
    if saved.checkpoint is None:
        return not is_together(store, saved.stage)
    if not _stands(store, saved.checkpoint):
        return False
    return not is_together(store, saved.stage) or newest_whole(store, saved.stage) == saved.checkpoint
