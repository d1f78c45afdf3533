"""Gangs: stages whose tasks run together. One member that does not finish ends the others, and all are tried again as one.

A gang is broken while some of its members wait and others do not, or one has failed for good. What is to be done follows
from its counters alone, so that a leader that takes over in between goes on.
"""

from collections.abc import Iterable

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import stopping
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.states import LISTED, TaskState
from switchyard.scheduling.lifecycle.work import UnitOfWork


def mend(work: UnitOfWork) -> bool:
    """End what broken gangs have left, and let those wait again that nothing is left of; say whether agents must be told."""
    broken = [stage for stage in work.stages.values() if stage.broken and not work.job_of(stage.id).stopping]
    if not broken:
        return False
    told = _recall(work, broken)
    for stage in broken:
        if stage.counts[TaskState.FAILED]:
            stopping.cancel_unplaced(work, [(stage, stage.unplaced)])
        elif not any(stage.counts[state] for state in LISTED):
            _renew(work, stage)
            if not work.job_of(stage.id).suspended:
                text = f"Stage {stage.name} is tried again as a whole, since not all members of the gang went on."
                work.told.append(Told("gang_retried", text, stage.job_id))
    return told


def _recall(work: UnitOfWork, stages: Iterable[StageRow]) -> bool:
    stopped = stopping.Stopped()
    ids = {stage.id for stage in stages}
    work.read_lists(node for node in stopping.nodes_of(work, ids) if node not in work.lists)
    stopping.cancel_listed(work, ids, stopped)
    return bool(stopped.cancels)


def _renew(work: UnitOfWork, stage: StageRow) -> None:
    """Make all members wait under a new number, each with the failures of the one that has most: a try counts once."""
    work.records.renew(stage.id)
    everyone = IndexSet.span(0, stage.parallelism)
    for state in TaskState:
        stage.counts[state] = 0
    stage.counts[TaskState.CREATED] = stage.parallelism
    stage.unplaced = everyone
    stage.spend(everyone)
