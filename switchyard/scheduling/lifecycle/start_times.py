"""Since when stages and jobs run, and for how long their tasks did, from reports."""

from collections.abc import Iterable

from switchyard.scheduling.lifecycle import settling
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import Outcome
from switchyard.scheduling.lifecycle.reports import Report
from switchyard.scheduling.lifecycle.work import UnitOfWork


def note_beginnings(work: UnitOfWork, reports: Iterable[Report]) -> None:
    """Note since when stages and jobs run of which this is the first that is told."""
    for report in reports:
        begun = [(group.stage, min(group.begun, default=None)) for group in report.finished]
        begun += [(stage, min(begins, default=None)) for stage, _, _, begins in report.starts]
        begun += [(end.stage, end.begun) for end in report.others]
        for stage, first in begun:
            if first is not None and stage in work.stages:
                settling.mark_started(work, work.stages[stage])
                for row in (work.stages[stage], work.job_of(stage)):
                    row.since = max(row.since, report.sent - first)


def add_run_time(work: UnitOfWork, reports: Iterable[Report], measures: Measures) -> None:
    """Add to stages how long their tasks ran, however they ended, and measure those that finished."""
    for report in reports:
        for group in report.finished:
            stage = work.stages.get(group.stage)
            if stage:
                seconds = (sum(group.ended) - sum(group.begun)) / 1e6
                stage.run_seconds += seconds
                measures.of_kind(stage.kind, stage.id).add(len(group.indexes), seconds)
        for end in report.others:
            stage = work.stages.get(end.stage)
            if stage and end.begun is not None:
                seconds = (end.ended - end.begun) / 1e6
                stage.run_seconds += seconds
                if end.outcome is Outcome.FINISHED:
                    measures.of_kind(stage.kind, stage.id).add(1, seconds)
