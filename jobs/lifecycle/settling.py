"""What follows when tasks have ended: stages end, their consumers become ready, jobs end."""

from collections.abc import Iterable

from database import rows
from jobs.store import expansion
from jobs.store.tables import JobRow, StageRow
from jobs.store.transitions import Move
from jobs.store.work import Board
from switchyard.scheduling import dag
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import shares
from switchyard.scheduling.lifecycle.states import TASK_ENDS, JobState, TaskState

#: How a job ends whose every stage has ended, by the state it is in by then.
ENDS = {
    JobState.CREATED: JobState.FINISHED,
    JobState.RUNNING: JobState.FINISHED,
    JobState.FAILING: JobState.FAILED,
    JobState.CANCELING: JobState.CANCELED,
}


def settle(board: Board, moves: Iterable[Move], consumers: "Consumers | None" = None) -> None:
    """Draw the consequences of tasks that moved; some consumers may be known already."""
    touched = {}
    for move in moves:
        stage = touched[move.stage] = board.stages[move.stage]
        if move.after in TASK_ENDS:
            if move.after != TaskState.CANCELED:
                mark_started(board, stage)
            if stage.feeds_pointwise:
                unblock(board, stage, stage.done if stage.gang else move.indexes)
    end_stages(board, touched.values(), consumers or Consumers())


def end_stages(board: Board, stages: Iterable[StageRow], consumers: "Consumers") -> None:
    """End those stages of which every task has ended, and what that completes in turn."""
    stages = list(stages)
    complete = [stage for stage in stages if _is_complete(stage)]
    if complete:
        # A whole chain may have ended at once: one question for all of it, not one for each link.
        consumers.ask(stage.id for stage in stages if stage.count_ended == stage.parallelism)()
    while complete:
        for stage in complete:
            stage.ended = stage.changed = True
            board.ended.append(stage)
            board.job_of(stage.id).stages_ended += 1
            board.job_of(stage.id).changed = True
        complete = [stage for stage in _open_consumers(board, complete, consumers) if _is_complete(stage)]
    for job in board.jobs.values():
        if job.stages_ended == job.stages_total and job.state in ENDS:
            job.become(ENDS[job.state])


def mark_started(board: Board, stage: StageRow) -> None:
    """Note that a stage, and with it its job, has begun."""
    if not stage.started:
        stage.started = stage.changed = True
    job = board.job_of(stage.id)
    if not job.started:
        job.started = job.changed = True
        if job.state == JobState.CREATED:
            job.become(JobState.RUNNING)


def _is_complete(stage: StageRow) -> bool:
    return not stage.ended and not stage.open_needs and stage.count_ended == stage.parallelism


class Consumers:
    """Which stages need all of a stage, read for many at a time."""

    def __init__(self) -> None:
        self._known: dict[int, list[int]] = {}

    def of(self, stages: Iterable[int]) -> list[int]:
        """Return the consumers of these stages, each as often as it needs one of them."""
        stages = list(stages)
        self.ask(stages)()
        return [consumer for stage in stages for consumer in self._known[stage]]

    def ask(self, stages: Iterable[int]) -> rows.Answer[None]:
        """Ask for the consumers of those stages whose are not known."""
        unknown = [stage for stage in stages if stage not in self._known]
        if not unknown:
            return lambda: None
        question = "SELECT producer_id, consumer_id FROM jobs_edge WHERE producer_id = ANY(%s) AND exchange = 'all'"
        asked = rows.execute(question, [unknown])

        def take() -> None:
            self._known |= {stage: [] for stage in unknown}
            for producer, consumer in asked.fetchall():
                self._known[producer].append(consumer)

        return take


def _open_consumers(board: Board, complete: Iterable[StageRow], known: Consumers) -> list[StageRow]:
    """Count ended producers off at the stages that need all of them; make the tasks of those that read from them."""
    consumers = known.of(stage.id for stage in complete)
    board.lock_stages(consumers)
    opened = []
    for consumer in consumers:
        stage = board.stages[consumer]
        stage.open_needs -= 1
        stage.changed = True
        if not stage.open_needs:
            opened.append(stage)
    for stage in opened:
        if not stage.parallelism and not board.job_of(stage.id).stopping:
            _expand(board, stage)
    return opened


def _expand(board: Board, stage: StageRow) -> None:
    try:
        expansion.expand(board, stage)
    except expansion.NotItems as error:
        board.job_of(stage.id).fail(str(error))


def unblock(board: Board, producer: StageRow, ended: IndexSet) -> None:
    """Let go the tasks whose pointwise inputs have all ended."""
    edges = rows.fetch(
        "SELECT c.consumer_id, c.producer_id FROM jobs_edge e JOIN jobs_edge c ON c.consumer_id = e.consumer_id "
        "WHERE e.producer_id = %s AND e.exchange = 'pointwise' AND c.exchange = 'pointwise'",
        [producer.id],
    )
    board.lock_stages({stage for edge in edges for stage in edge})
    for consumer_id in {consumer for consumer, _ in edges}:
        consumer = board.stages[consumer_id]
        producers = [board.stages[producer_id] for id_, producer_id in edges if id_ == consumer_id]
        freed = _fed(producer, consumer, ended) & consumer.blocked
        for other in producers:
            freed = IndexSet.from_indexes(j for j in freed if _has_inputs(other, consumer, j))
        consumer.blocked -= freed
        consumer.changed = True


def with_inputs(board: Board, stage: StageRow, tasks: IndexSet) -> IndexSet:
    """Return those of a stage's tasks whose pointwise inputs have all ended."""
    if not tasks:
        return tasks
    found = rows.fetch("SELECT producer_id FROM jobs_edge WHERE consumer_id = %s AND exchange = 'pointwise'", [stage.id])
    board.lock_stages(producer for (producer,) in found)
    for (producer,) in found:
        tasks = IndexSet.from_indexes(j for j in tasks if _has_inputs(board.stages[producer], stage, j))
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
