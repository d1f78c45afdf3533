"""A job that is to end early. No task of its sources begins any more; what has begun, and all that comes of it,
is worked off, so that the job ends FINISHED.

A source is a stage that needs no other. Its tasks that never began are canceled, and so are those that would be handed
nothing but what these would have given. Whatever began once is tried again as ever; a gang that was placed counts as begun.
"""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from switchyard.scheduling.buffering import fed_alone
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import buffering, settling, stopping
from switchyard.scheduling.lifecycle.facts import Need
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import AssignmentRow, StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.stopping import CHUNK, Stopped
from switchyard.scheduling.lifecycle.work import UnitOfWork

#: Layers of stages that one transaction goes through at the most.
LAYERS = 50
Chosen = list[tuple[StageRow, IndexSet]]


def drain(records: Records, jobs: Sequence[UUID], stopped: Stopped, *, epoch: int) -> None:
    """Cancel what is not to begin any more of these jobs, which drain, and note what agents must be told."""
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        stages = stopping.open_stages(work, jobs)
        needs = records.needs(jobs)
        stages = [stage for stage in stages if not work.job_of(stage.id).stopping]
        sources = [stage for stage in stages if stage.id not in needs]
        work.read_lists(stopping.nodes_of(work, [stage.id for stage in sources]))
        _recall(work, sources, stopped)
        _cancel(work, sources, [stage for stage in stages if stage.id in needs], needs, stopped)
        work.write()


def _recall(work: UnitOfWork, sources: Iterable[StageRow], stopped: Stopped) -> None:
    """Ask back what stands on lists and has not begun: again and again, until it has or is back."""
    asked = {stage.id for stage in sources if not stage.gang}
    for entries in work.lists.values():
        for assignment in entries:
            if assignment.stage in asked and not assignment.attempt and not assignment.recalled:
                _ask_back(assignment, stopped)


def _ask_back(assignment: AssignmentRow, stopped: Stopped) -> None:
    waiting = assignment.listed - assignment.started
    if waiting:
        told = [assignment.stage, assignment.attempt, waiting.to_json()]
        stopped.recalls.setdefault(assignment.session, []).append(told)


def _cancel(
    work: UnitOfWork,
    sources: Sequence[StageRow],
    others: Sequence[StageRow],
    needs: dict[int, list[Need]],
    stopped: Stopped,
) -> None:
    """Cancel tasks of sources, then layer by layer what is left without any input; at most CHUNK, but gangs as a whole."""
    consumers, room = settling.Consumers(work.records), CHUNK
    chosen: Chosen = [(stage, fresh) for stage in sources if (fresh := _fresh(stage, source=True))]
    for _ in range(LAYERS):
        taken = [(stage, indexes if stage.gang else indexes.take(room)[0]) for stage, indexes in chosen]
        stopping.cancel_unplaced(work, taken)
        room -= sum(len(indexes) for _, indexes in taken)
        _settle(work, taken, consumers)
        buffering.let_through(work)
        _note_deprived(taken, needs, stopped)
        if room <= 0:
            break
        chosen = list(_without_inputs(work, others, needs))
        if not chosen:
            return
    stopped.more = True


def _settle(work: UnitOfWork, canceled: Chosen, consumers: settling.Consumers) -> None:
    for stage, indexes in canceled:
        if stage.feeds_pointwise:
            settling.unblock(work, stage, indexes)
    settling.end_stages(work, [stage for stage, _ in canceled], consumers)


def _note_deprived(canceled: Chosen, needs: dict[int, list[Need]], stopped: Stopped) -> None:
    lost = {stage.id for stage, indexes in canceled if indexes}
    stopped.deprived |= {consumer for consumer, needed in needs.items() if any(need.stage in lost for need in needed)}


def _fresh(stage: StageRow, *, source: bool = False) -> IndexSet:
    """Return the tasks of a stage that never began and stand on no list; unless it is a source, of those with all inputs."""
    if stage.ended or (stage.gang and (stage.spent or len(stage.unplaced) < stage.parallelism)):
        return IndexSet()
    return (stage.unplaced if source else stage.ready) - stage.spent


def _without_inputs(
    work: UnitOfWork, stages: Iterable[StageRow], needs: dict[int, list[Need]]
) -> Iterator[tuple[StageRow, IndexSet]]:
    """Return tasks of which nothing that they need will ever be there."""
    doubtful = []
    for stage in stages:
        fresh, needed = _fresh(stage), needs[stage.id]
        shares = [_canceled_share(work, need) for need in needed if need.pointwise]
        if not fresh:
            continue
        if not shares and all(_canceled_share(work, need) == 1 for need in needed):
            yield stage, fresh
        elif shares and min(shares) > stage.counts[TaskState.CANCELED] / stage.parallelism:
            # Only then there may be more: reading which tasks were canceled takes long.
            doubtful.append((stage, fresh))
    gone = work.records.canceled({need.stage for stage, _ in doubtful for need in needs[stage.id] if need.pointwise})
    for stage, fresh in doubtful:
        lost = fresh
        for need in needs[stage.id]:
            if need.pointwise:
                canceled = gone.get(need.stage, IndexSet())
                lost &= fed_alone(canceled, need.tasks, stage.parallelism)
        if lost and (not stage.gang or len(lost) == stage.parallelism):
            yield stage, lost


def _canceled_share(work: UnitOfWork, need: Need) -> float:
    """Return which share of a stage's tasks was canceled; 0 for one that has none, for its consumers are handed that."""
    stage = work.stages.get(need.stage)
    canceled, tasks = (stage.counts[TaskState.CANCELED], stage.parallelism) if stage else (need.canceled, need.tasks)
    return canceled / tasks if tasks else 0.0
