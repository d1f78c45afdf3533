"""Split a report that cannot be applied, so that as little of it as possible is lost and later ones are not blocked.

Agents send a report until it is acknowledged, and all later ones wait for it.
"""

from collections.abc import Sequence

import structlog
from django.db import transaction

from jobs.leader import agent_reports, watchdog
from jobs.leader.agent_reports import Applied
from jobs.leader.bisect import raise_if_blameless
from switchyard.leader.pieces import failed, limited, pieces
from switchyard.messaging.messages import Report
from switchyard.scheduling.lifecycle.apply_reports import stages_in
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.ends import Ends

log = structlog.get_logger()


def salvage(report: Report, measures: Measures, *, epoch: int) -> Applied:
    """Apply a report piece by piece, in one transaction; an end that cannot be recorded becomes a failure that says so."""

    ends = Ends()

    def contents(_: object, now: float) -> bool:
        recalled = False
        for piece in pieces(report):
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


def _apply(piece: Report, measures: Measures, now: float) -> tuple[bool, Ends]:
    """Apply a piece, or what is left to say of it; return whether that recalled tasks, and what ended."""
    for told in (piece, failed(piece)):
        try:
            with transaction.atomic():
                return agent_reports.apply_contents([told], measures, now, blaming=False)
        except Exception as error:
            raise_if_blameless(error)
            log.exception("part of a report not applied", node=piece.node, session=piece.session, number=piece.number)
    return False, Ends()
