"""Rewrite a journal with the lines that still count."""

from collections.abc import Iterable, Iterator
from typing import Any

from switchyard.agent.core.ends import noted
from switchyard.agent.core.entries import Entries, Entry
from switchyard.agent.core.logs import Log
from switchyard.agent.core.notes import note_of_log
from switchyard.agent.core.outcomes import Ends
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.workers import Worker
from switchyard.messaging.messages import Report
from switchyard.scheduling.indexes import IndexSet


def rest(entries: Entries, floor: Floor, reports: Reports, ends: Ends, logs: Iterable[Log]) -> Iterator[Any]:
    """Yield the lines: what was told and may not have arrived first, as tasks that were returned may be here again."""
    yield {"entries": entries.numbers.to_json()}
    for report in reports.pending():
        yield from _told(report)
    yield from map(noted, ends.storing())
    for entry in entries.entries:
        yield {"launched": _launched(entry, entry.pending)}
    for worker in floor.workers.values():
        yield from _worker(worker)
    for log in logs:
        yield note_of_log(log)


def _told(report: Report) -> Iterator[Any]:
    for group in report.finished:
        for told in group.ends():
            yield [group.stage, group.attempt, *told]
    yield from map(noted, report.others)
    for returned in report.returns:
        yield {"returned": returned}
    if report.number:
        yield {"reported": report.number}


def _worker(worker: Worker) -> Iterator[Any]:
    yield {"base": [worker.number, worker.ended]}
    for part in worker.handed:
        left = IndexSet.from_indexes(part.left())
        yield {"launched": _launched(part.entry, left)}
        yield {"handed": [worker.number, part.entry.stage.id, part.entry.attempt, left.to_json()]}


def _launched(entry: Entry, indexes: IndexSet) -> list[Any]:
    return [0, entry.number, entry.stage.id, entry.attempt, indexes.to_json()]
