"""Since when stages and jobs run, and for how long their tasks did, from reports."""

from collections.abc import Iterable

from jobs.lifecycle import settling
from jobs.store.work import Board
from jobs.telemetry.durations import Measures
from switchyard.messaging.messages import Report
from switchyard.scheduling.lifecycle.states import TaskState


def note_beginnings(board: Board, reports: Iterable[Report]) -> None:
    """Note since when stages and jobs run of which this is the first that is told."""
    for report in reports:
        begun = [(group.stage, min(group.begun, default=None)) for group in report.finished]
        begun += [(stage, min(begins, default=None)) for stage, _, _, begins in report.starts]
        begun += [(end["stage"], end["begun"]) for end in report.others]
        for stage, first in begun:
            if first is not None and stage in board.stages:
                settling.mark_started(board, board.stages[stage])
                for row in (board.stages[stage], board.job_of(stage)):
                    row.since = max(row.since, report.sent - first)


def add_run_time(board: Board, reports: Iterable[Report], measures: Measures) -> None:
    """Add to stages how long their tasks ran, however they ended, and measure those that finished."""
    for report in reports:
        for group in report.finished:
            stage = board.stages.get(group.stage)
            if stage:
                seconds = (sum(group.ended) - sum(group.begun)) / 1e6
                stage.run_seconds += seconds
                measures.of_kind(stage.kind, stage.id).add(len(group.indexes), seconds)
        for end in report.others:
            stage = board.stages.get(end["stage"])
            if stage and end["begun"] is not None:
                seconds = (end["ended"] - end["begun"]) / 1e6
                stage.run_seconds += seconds
                if end["outcome"] == TaskState.FINISHED.name:
                    measures.of_kind(stage.kind, stage.id).add(1, seconds)
