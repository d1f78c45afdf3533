"""Writing JSON as texts: whole values without spaces, and long lists in pieces. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ROWS_A_TEXT = 1000


def compact(value: Any) -> str:
    """Return a value as JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def with_rows(head: Mapping[str, Any], name: str, rows: Iterable[Any]) -> Iterator[str]:
    """Yield the text of an object of what is in `head`, then of a list that may be long."""
    yield f'{compact(head)[:-1]}{"," if head else ""}"{name}":['
    held: list[Any] = []
    before = ""
    for row in rows:
        held.append(row)
        if len(held) == ROWS_A_TEXT:
            yield before + compact(held)[1:-1]
            held, before = [], ","
    if held:
        yield before + compact(held)[1:-1]
    yield "]}"
