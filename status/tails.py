"""Tails: the end of what an attempt wrote, as text for a page. All of it is served by the API."""

from dataclasses import dataclass
from typing import Any

from artifacts.logs import LogKey, Stream, logs

SHOWN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of one stream; `skipped` bytes came before, `dropped` were never kept."""

    stream: str
    text: str
    size: int
    skipped: int
    dropped: int


def tails(stage: int, index: int, attempt: dict[str, Any]) -> list[Tail]:
    """Return the end of each stream of an attempt."""
    written = attempt["logs"] or {}
    return [_tail(LogKey(stage, index, attempt["attempt"], stream), written.get(stream.value) or {}) for stream in Stream]


def _tail(key: LogKey, written: dict[str, Any]) -> Tail:
    size = logs().size(key)
    begin = max(0, size - SHOWN_BYTES)
    data = logs().read(key, begin, SHOWN_BYTES)
    # Neither a cut line nor half a character is of use at the top.
    shown = data.partition(b"\n")[2] if begin and b"\n" in data else data
    skipped = begin + len(data) - len(shown)
    return Tail(key.stream.value, shown.decode(errors="replace"), size, skipped, written.get("dropped", 0))
