"""Items of a stage's tasks, stored in parts, so that a few of them can be read and written alone."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from database import rows

#: Characters of JSON in a part, unless it is a single item; parts that one statement writes.
PART, PARTS = 256 * 1024, 4
#: Characters of JSON of submitted items that are short: they have no parts, and travel with the description.
SHORT = 8 * 1024
#: A part: the first task, the one after the last, and the items as a JSON text.
Part = tuple[int, int, str]


def write(stage: int, items: Sequence[object]) -> None:
    """Write the items of a stage."""
    parts = list(divide(items))
    for at in range(0, len(parts), PARTS):
        rows.execute(
            """INSERT INTO jobs_items (stage_id, low, high, items) SELECT %s, c.low, c.high, c.items::json
            FROM unnest(%s::int[], %s::int[], %s::text[]) AS c(low, high, items)""",
            [stage, *rows.columns(parts[at : at + PARTS], 3)],
        )


def copy(before: int, after: int) -> None:
    """Give a stage the items of another."""
    rows.execute(
        "INSERT INTO jobs_items (stage_id, low, high, items) SELECT %s, low, high, items FROM jobs_items WHERE stage_id = %s",
        [after, before],
    )


def read(stage: int, low: int, high: int) -> list[Any]:
    """Return the items that a range of a stage's tasks are given."""
    parts = rows.fetch(
        "SELECT low, items::text FROM jobs_items WHERE stage_id = %s AND low < %s AND high > %s ORDER BY low",
        [stage, high, low],
    ) or rows.fetch(
        "SELECT 0, (given -> 'foreach')::text FROM jobs_stage WHERE id = %s AND given -> 'foreach' IS NOT NULL", [stage]
    )
    return [item for first, text in parts for item in json.loads(text)[max(0, low - first) : max(0, high - first)]]


def divide(items: Sequence[object], low: int = 0) -> Iterator[Part]:
    """Divide items into parts; the first of them is that of task `low`."""
    text = json.dumps(items)
    if len(text) <= PART or len(items) == 1:
        yield low, low + len(items), text
        return
    size = max(1, PART * len(items) // len(text))
    for first in range(0, len(items), size):
        yield from divide(items[first : first + size], low + first)
