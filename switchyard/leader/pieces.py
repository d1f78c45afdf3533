"""Parts of reports: where one cannot be applied as a whole, it is applied piece by piece."""

from collections.abc import Iterator, Set
from dataclasses import replace

from switchyard.messaging.messages import Finished, Report
from switchyard.scheduling.lifecycle.ends import End
from switchyard.scheduling.retry import ExitClass

LOST_END = "what it told at its end could not be recorded"


def limited(report: Report, stages: Set[int]) -> Report:
    """Return a report with what it tells of these stages alone."""
    return replace(
        report,
        finished=[group for group in report.finished if group.stage in stages],
        others=[end for end in report.others if end.stage in stages],
        starts=[start for start in report.starts if start[0] in stages],
        returns=[returned for returned in report.returns if returned[0] in stages],
        updates=[update for update in report.updates if update.stage in stages],
    )


def pieces(report: Report) -> Iterator[Report]:
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


def failed(piece: Report) -> Report:
    """Return a piece that tells of an end, as a failure without what was told of it; any other becomes empty."""
    ends = [
        *((group.stage, group.attempt, group.indexes[0], group.begun[0], group.ended[0]) for group in piece.finished),
        *((end.stage, end.attempt, end.index, end.begun, end.ended) for end in piece.others),
    ]
    others = [End(*end, exit_class=ExitClass.USER_ERROR, error=LOST_END) for end in ends]
    return replace(piece, finished=[], others=others, starts=[], returns=[], updates=[])
