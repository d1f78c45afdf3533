"""End what a cancel, a failure or a suspension says must not go on, and ask again until agents confirm."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import settling
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import AssignmentRow, StageRow
from switchyard.scheduling.lifecycle.states import LISTED, JobState, TaskState
from switchyard.scheduling.lifecycle.work import UnitOfWork

#: Tasks that one transaction ends at the most.
CHUNK = 5000


@dataclass(slots=True)
class Stopped:
    """What agents must be told, by session, as [stage, attempt, ranges]; and whether there is more to do.

    `cancels` are entries to end, with true behind them if tasks may save a last state; `recalls` those to give back unless
    they have begun. `deprived` are the stages that get
    less than they were told of.
    """

    cancels: dict[str, list[list[Any]]] = field(default_factory=dict)
    recalls: dict[str, list[list[Any]]] = field(default_factory=dict)
    deprived: set[int] = field(default_factory=set)
    more: bool = False

    def add(self, other: "Stopped") -> None:
        """Add what is to be told of other jobs."""
        for mine, others in ((self.cancels, other.cancels), (self.recalls, other.recalls)):
            for session, told in others.items():
                mine.setdefault(session, []).extend(told)
        self.deprived |= other.deprived
        self.more |= other.more

    def cancel(self, assignment: AssignmentRow, *, save: bool) -> None:
        """Note an assignment that its agent must end; `save` says whether its tasks go on another time."""
        told = [assignment.stage, assignment.attempt, assignment.listed.to_json(), *([True] if save else [])]
        self.cancels.setdefault(assignment.session, []).append(told)


def stop(records: Records, jobs: Sequence[UUID], *, epoch: int) -> Stopped:
    """End the waiting tasks of jobs that stop, at most CHUNK of them, and mark the others CANCELING."""
    stopped = Stopped()
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        stages = open_stages(work, jobs)
        work.read_lists(nodes_of(work, [stage.id for stage in stages]))
        _cancel_waiting(work, stages, stopped)
        cancel_listed(work, {stage.id for stage in stages}, stopped)
        if not stopped.more:
            for stage in stages:
                settling.stop_unexpanded(work.job_of(stage.id), [stage])
        settling.end_stages(work, stages, settling.Consumers(records))
        work.write()
    return stopped


def suspend(records: Records, jobs: Sequence[UUID], stopped: Stopped, *, epoch: int) -> None:
    """Take back all that agents have of jobs that are being suspended; one of which nothing is left on lists is SUSPENDED.

    The tasks wait again as their agents confirm: see outcomes, and apply_reports for those that never began.
    """
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        stages = [stage for stage in open_stages(work, jobs) if work.job_of(stage.id).state is JobState.SUSPENDING]
        work.read_lists(nodes_of(work, [stage.id for stage in stages]))
        cancel_listed(work, {stage.id for stage in stages}, stopped)
        busy = {stage.job_id for stage in stages if any(stage.counts[state] for state in LISTED)}
        for id_ in {stage.job_id for stage in stages} - busy:
            work.jobs[id_].become(JobState.SUSPENDED)
        work.write()


def unconfirmed_cancels(records: Records) -> Stopped:
    """Return the entries that agents were told to end and have not confirmed."""
    stopped = Stopped()
    nodes = records.nodes_recalled()
    if nodes:
        with records.together():
            listed, _ = records.ask_lists(nodes)()
        recalled = [assignment for assignment in listed if assignment.recalled]
        suspending = records.suspending({assignment.stage for assignment in recalled})
        for assignment in recalled:
            stopped.cancel(assignment, save=assignment.stage in suspending)
    return stopped


def nodes_of(work: UnitOfWork, stages: Iterable[int]) -> list[int]:
    """Return the nodes on whose lists tasks of these stages stand."""
    return work.records.nodes_listing(list(stages))


def cancel_unplaced(work: UnitOfWork, chosen: Sequence[tuple[StageRow, IndexSet]]) -> None:
    """Cancel tasks that are on no list."""
    for stage, indexes in chosen:
        stage.move(TaskState.CREATED, TaskState.CANCELED, indexes)
    some = [(stage.id, indexes) for stage, indexes in chosen if indexes]
    if some:
        work.records.cancel_created(some)


def cancel_listed(work: UnitOfWork, stages: set[int], stopped: Stopped) -> None:
    """Mark what is on lists CANCELING; it leaves that state when its agent confirms."""
    told = [a for entries in work.lists.values() for a in entries if a.stage in stages and a.listed and not a.recalled]
    if not told:
        return
    for moved in work.records.cancel_listed([(a.stage, a.listed) for a in told]):
        work.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
    for assignment in told:
        assignment.recalled = assignment.changed = True
        stopped.cancel(assignment, save=work.job_of(assignment.stage).state is JobState.SUSPENDING)


def open_stages(work: UnitOfWork, jobs: Sequence[UUID]) -> list[StageRow]:
    """Lock the jobs and read their stages that have not ended."""
    stages = work.records.open_stages(jobs)
    work.lock_stages(stages)
    return [work.stages[stage] for stage in stages]


def _cancel_waiting(work: UnitOfWork, stages: Iterable[StageRow], stopped: Stopped) -> None:
    """Cancel tasks that are on no list."""
    room, chosen = CHUNK, []
    for stage in stages:
        chosen.append((stage, stage.unplaced.take(room)[0]))
        room -= len(chosen[-1][1])
    cancel_unplaced(work, chosen)
    stopped.more = any(stage.unplaced for stage in stages)
