"""Take apart a report that cannot be applied, so that as little as possible of it is lost and no later one is blocked.

Agents send a report until it is acknowledged, and all later ones wait for it.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

import structlog
from django.db import transaction

from jobs.leader import agent_reports, watchdog
from jobs.leader.agent_reports import Applied
from jobs.leader.bisect import raise_if_blameless
from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.lifecycle.apply_reports import stages_in
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.retry import ExitClass

log = structlog.get_logger()


def salvage(report: Report, measures: Measures, *, epoch: int) -> Applied:
    """Apply a report piece by piece, in one transaction; an end that cannot be recorded becomes a failure that says so."""

    ends = Ends()

    def contents(_: object, now: float) -> bool:
        recalled = False
        for piece in _pieces(report):
            has_recalled, ended = _apply(piece, measures, now)
            recalled |= has_recalled
            ends.update(ended)
        return recalled

    applied = agent_reports.apply([report], measures, epoch=epoch, contents=contents)
    applied.ends = ends
    return applied


def by_stage(reports: Sequence[Report], measures: Measures, *, epoch: int, blaming: bool) -> Applied:
    """Apply reports stage by stage, in one transaction, so that the watchdog knows a stage that this does not end for."""
    ends = Ends()

    def contents(accepted: Sequence[Report], now: float) -> bool:
        recalled = False
        for report in accepted:
            for stage in sorted(stages_in([report])):
                watchdog.get_on(items=[stage])
                has_recalled, ended = agent_reports.apply_contents([limited(report, {stage})], measures, now, blaming=blaming)
                recalled |= has_recalled
                ends.update(ended)
        return recalled

    applied = agent_reports.apply(reports, measures, epoch=epoch, contents=contents)
    applied.ends = ends
    return applied


def limited(report: Report, stages: Set[int]) -> Report:
    """Return a report with what it tells of these stages alone."""
    return replace(
        report,
        finished=[group for group in report.finished if group.stage in stages],
        others=[end for end in report.others if end["stage"] in stages],
        starts=[start for start in report.starts if start[0] in stages],
        returns=[returned for returned in report.returns if returned[0] in stages],
        updates=[update for update in report.updates if update["stage"] in stages],
    )


def _apply(piece: Report, measures: Measures, now: float) -> tuple[bool, Ends]:
    """Apply a piece, or what is left to say of it; return whether that recalled tasks, and what ended."""
    for told in (piece, _failed(piece)):
        try:
            with transaction.atomic():
                return agent_reports.apply_contents([told], measures, now, blaming=False)
        except Exception as error:
            raise_if_blameless(error)
            log.exception("part of a report not applied", node=piece.node, session=piece.session, number=piece.number)
    return False, Ends()


def _pieces(report: Report) -> Iterator[Report]:
    """Yield reports of one thing each."""
    empty = replace(report, finished=[], others=[], starts=[], returns=[], updates=[])
    for group in report.finished:
        for told in group.ends():
            alone = Finished(group.stage, group.attempt)
            alone.add(*told)
            yield replace(empty, finished=[alone])
    yield from (replace(empty, others=[end]) for end in report.others)
    yield from (replace(empty, starts=[start]) for start in report.starts)
    yield from (replace(empty, returns=[returned]) for returned in report.returns)
    yield from (replace(empty, updates=[update]) for update in report.updates)


def _failed(piece: Report) -> Report:
    """Return a piece that tells of an end, as a failure without what was told of it."""
    ends = [
        *((group.stage, group.attempt, group.indexes[0], group.begun[0], group.ended[0]) for group in piece.finished),
        *((end["stage"], end["attempt"], end["index"], end["begun"], end["ended"]) for end in piece.others),
    ]
    names = ("stage", "attempt", "index", "begun", "ended")
    more = {"outcome": "FAILED", "class": ExitClass.USER_ERROR, "error": "what it told at its end could not be recorded"}
    others = [dict(zip(names, end, strict=True)) | more for end in ends]
    return replace(piece, finished=[], others=others, starts=[], returns=[], updates=[])
