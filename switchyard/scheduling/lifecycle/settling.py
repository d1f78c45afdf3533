"""What follows when tasks have ended: stages end, their consumers become ready, jobs end."""

from collections.abc import Iterable

from switchyard.scheduling import dag
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import shares
from switchyard.scheduling.lifecycle.records import Answer, NotItems, Records
from switchyard.scheduling.lifecycle.rows import JobRow, StageRow
from switchyard.scheduling.lifecycle.states import TASK_ENDS, JobState, TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.lifecycle.work import UnitOfWork


def settle(work: UnitOfWork, moves: Iterable[Move], consumers: "Consumers | None" = None) -> None:
    """Draw the consequences of tasks that moved; some consumers may be known already."""
    touched = {}
    for move in moves:
        stage = touched[move.stage] = work.stages[move.stage]
        if move.after in TASK_ENDS:
            if move.after != TaskState.CANCELED:
                mark_started(work, stage)
            if stage.feeds_pointwise:
                unblock(work, stage, stage.done if stage.gang else move.indexes)
    end_stages(work, touched.values(), consumers or Consumers(work.records))


def end_stages(work: UnitOfWork, stages: Iterable[StageRow], consumers: "Consumers") -> None:
    """End those stages of which every task has ended, and what that completes in turn."""
    stages = list(stages)
    complete = [stage for stage in stages if _is_complete(stage)]
    if complete:
        # A whole chain may have ended at once: one question for all of it, not one for each link.
        consumers.ask(stage.id for stage in stages if stage.count_ended == stage.parallelism)()
    while complete:
        for stage in complete:
            stage.ended = stage.changed = True
            work.ended.append(stage)
            work.job_of(stage.id).stages_ended += 1
            work.job_of(stage.id).changed = True
        complete = [stage for stage in _open_consumers(work, complete, consumers) if _is_complete(stage)]
    for job in work.jobs.values():
        if job.stages_ended == job.stages_total:
            job.end()


def mark_started(work: UnitOfWork, stage: StageRow) -> None:
    """Note that a stage, and with it its job, has begun."""
    if not stage.started:
        stage.started = stage.changed = True
    job = work.job_of(stage.id)
    if not job.started:
        job.started = job.changed = True
        if job.state == JobState.CREATED:
            job.become(JobState.RUNNING)


def _is_complete(stage: StageRow) -> bool:
    return not stage.ended and not stage.open_needs and stage.count_ended == stage.parallelism


class Consumers:
    """Which stages need all of a stage, read for many at a time."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[int, list[int]] = {}

    def of(self, stages: Iterable[int]) -> list[int]:
        """Return the consumers of these stages, each as often as it needs one of them."""
        stages = list(stages)
        self.ask(stages)()
        return [consumer for stage in stages for consumer in self._known[stage]]

    def ask(self, stages: Iterable[int]) -> Answer[None]:
        """Ask for the consumers of those stages whose are not known."""
        unknown = [stage for stage in stages if stage not in self._known]
        if not unknown:
            return lambda: None
        asked = self._records.ask_consumers(unknown)

        def take() -> None:
            self._known |= {stage: [] for stage in unknown}
            for producer, consumer in asked():
                self._known[producer].append(consumer)

        return take


def _open_consumers(work: UnitOfWork, complete: Iterable[StageRow], known: Consumers) -> list[StageRow]:
    """Count ended producers off at the stages that need all of them; make the tasks of those that read from them."""
    consumers = known.of(stage.id for stage in complete)
    work.lock_stages(consumers)
    opened = []
    for consumer in consumers:
        stage = work.stages[consumer]
        stage.open_needs -= 1
        stage.changed = True
        if not stage.open_needs:
            opened.append(stage)
    for stage in opened:
        if not stage.parallelism and not work.job_of(stage.id).stopping:
            _expand(work, stage)
    return opened


def _expand(work: UnitOfWork, stage: StageRow) -> None:
    """Make the tasks of a stage that runs over another's results; where it cannot, its job fails."""
    job = work.job_of(stage.id)
    try:
        count = work.records.make_tasks(stage, work.stages, draining=job.draining)
    except NotItems as error:
        job.fail(str(error))
        return
    stage.parallelism = stage.counts[TaskState.CREATED] = count
    stage.unplaced = IndexSet.span(0, count)
    stage.changed = True


def unblock(work: UnitOfWork, producer: StageRow, ended: IndexSet) -> None:
    """Let go the tasks whose pointwise inputs have all ended."""
    edges = work.records.pointwise_needs(producer.id)
    work.lock_stages({stage for edge in edges for stage in edge})
    for consumer_id in {consumer for consumer, _ in edges}:
        consumer = work.stages[consumer_id]
        producers = [work.stages[producer_id] for id_, producer_id in edges if id_ == consumer_id]
        freed = _fed(producer, consumer, ended) & consumer.blocked
        for other in producers:
            freed = IndexSet.from_indexes(j for j in freed if _has_inputs(other, consumer, j))
        consumer.blocked -= freed
        consumer.changed = True


def with_inputs(work: UnitOfWork, stage: StageRow, tasks: IndexSet) -> IndexSet:
    """Return those of a stage's tasks whose pointwise inputs have all ended."""
    if not tasks:
        return tasks
    producers = work.records.pointwise_producers(stage.id)
    work.lock_stages(producers)
    for producer in producers:
        tasks = IndexSet.from_indexes(j for j in tasks if _has_inputs(work.stages[producer], stage, j))
    return tasks


def _fed(producer: StageRow, consumer: StageRow, ended: IndexSet) -> IndexSet:
    """Return the consumer's tasks that these tasks of the producer feed: what overlaps does so both ways."""
    return shares(ended, consumer.parallelism, producer.parallelism)


def _has_inputs(producer: StageRow, consumer: StageRow, index: int) -> bool:
    low, high = dag.inputs(index, producer.parallelism, consumer.parallelism)
    return not IndexSet.span(low, high) - producer.done


def stop_unexpanded(job: JobRow, stages: Iterable[StageRow]) -> None:
    """Close the needs of a stopping job's stages, so that they can end."""
    for stage in stages:
        if job.stopping and stage.open_needs:
            stage.open_needs = 0
            stage.changed = True
