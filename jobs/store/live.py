"""Metrics and accumulators of running tasks, written a bounded number of bytes at a time."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from database import rows
from jobs.store import exact
from switchyard.scheduling.lifecycle.reports import Report

#: Bytes that one statement writes.
STATEMENT = 1024 * 1024


def write_updates(reports: Iterable[Report]) -> None:
    """Write what running tasks tell of themselves."""
    told = [
        (
            report.node,
            update.stage,
            update.attempt,
            update.index,
            json_text(update.metrics),
            json_text(update.accumulators),
        )
        for report in reports
        for update in report.updates
    ]
    for part in _by_size(told):
        rows.execute(
            """UPDATE jobs_task t SET metrics = coalesce(told.metrics::jsonb, t.metrics),
                accumulators = coalesce(told.accumulators::jsonb, t.accumulators)
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::text[], %s::text[])
                AS told(node_id, stage_id, attempt, index, metrics, accumulators)
            WHERE t.stage_id = told.stage_id AND t.index = told.index AND t.attempt = told.attempt
                AND t.node_id = told.node_id AND t.ended_at IS NULL""",
            rows.columns(part, 6),
        )


def _by_size(told: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield updates of about STATEMENT bytes at a time."""
    part: list[tuple[Any, ...]] = []
    size = 0
    for update in told:
        part.append(update)
        size += sum(len(value) for value in update if isinstance(value, str))
        if size > STATEMENT:
            yield part
            part, size = [], 0
    if part:
        yield part


def json_text(value: object) -> str | None:
    """Return a value as JSON, in which floats have points; None for nothing."""
    return None if value is None else exact.with_points(json.dumps(value, default=msgspec.to_builtins))
