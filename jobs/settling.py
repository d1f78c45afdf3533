"""Settling: what follows when tasks have ended: stages end, their consumers become ready, jobs end."""

from collections.abc import Iterable

from jobs import rows
from jobs.board import Board, StageRow
from scheduling.indexes import IndexSet
from scheduling.lifecycle import JobState


def settle(board: Board, ended: Iterable[tuple[int, IndexSet]]) -> None:
    """Draw the consequences of tasks that ended, given as (stage, indexes)."""
    touched = [board.stages[stage] for stage, _ in ended]
    for stage in touched:
        _mark_started(board, stage)
    complete = [stage for stage in {stage.id: stage for stage in touched}.values() if _is_complete(stage)]
    if not complete:
        return
    _open_consumers(board, complete)
    for stage in complete:
        _end_stage(board, stage)


def _mark_started(board: Board, stage: StageRow) -> None:
    job = board.jobs[stage.job_id]
    stage.started = stage.changed = True
    if not job.started:
        job.started = True
        if job.state == JobState.CREATED:
            job.become(JobState.RUNNING)


def _is_complete(stage: StageRow) -> bool:
    return not stage.ended and stage.count_ended == stage.parallelism


def _open_consumers(board: Board, complete: Iterable[StageRow]) -> None:
    """Count an ended producer off at each stage that needs all of it."""
    edges = rows.fetch(
        "SELECT consumer_id FROM jobs_edge WHERE producer_id = ANY(%s) AND exchange = 'all'",
        [[stage.id for stage in complete]],
    )
    consumers = [consumer for (consumer,) in edges]
    board.lock_stages(consumers)
    for consumer in consumers:
        board.stages[consumer].open_needs -= 1
        board.stages[consumer].changed = True


def _end_stage(board: Board, stage: StageRow) -> None:
    job = board.jobs[stage.job_id]
    stage.ended = stage.changed = True
    job.stages_ended += 1
    job.changed = True
    if job.stages_ended == job.stages_total:
        job.become(JobState.FINISHED)
