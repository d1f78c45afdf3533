"""The screen: results on standard output, all else on standard error; tables, times, and nothing that steers a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchyard.answers import encode

#: A pipe has no width; a table in it is not to be cut.
PIPE_WIDTH = 250
MINUTE = 60
KIB = 1024
_COLOURS = {
    "FINISHED": "green",
    "COMPLETED": "green",
    "READY": "green",
    "RUNNING": "cyan",
    "FAILED": "red",
    "FAILING": "red",
    "GONE": "red",
    "SILENT": "red",
    "CANCELED": "yellow",
    "CANCELING": "yellow",
    "SUSPENDING": "yellow",
    "SUSPENDED": "yellow",
    "PAUSED": "yellow",
}
_KEPT = {"\n", "\t"}


def console(*, errors: bool = False) -> Console:
    """Return a console on standard output, or on standard error."""
    file = sys.stderr if errors else sys.stdout
    return Console(file=file, width=None if file.isatty() else PIPE_WIDTH, highlight=False, markup=False)


def say(text: str) -> None:
    """Tell people something, beside the result."""
    print(text, file=sys.stderr, flush=True)


def emit(value: object) -> None:
    """Write an answer as JSON."""
    print(json.dumps(encode(value), indent=2, ensure_ascii=False))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table; states are coloured."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    console().print(shown)


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Write names with their values, one a line; what is empty is left out."""
    shown = Table.grid(padding=(0, 2))
    for name, value in pairs:
        if value not in (None, "", ()):
            shown.add_row(Text(name, "bold"), _cell(value))
    console().print(shown)


def plain(text: str) -> str:
    """Return text without the characters by which it could steer a terminal."""
    return "".join(char if char.isprintable() or char in _KEPT else "�" for char in text)


def ago(at: datetime | None) -> str:
    """Tell a time as people do."""
    return f"{lasted(datetime.now(UTC) - at)} ago" if at else ""


def lasted(span: timedelta) -> str:
    """Tell a duration in its two largest units."""
    seconds = max(0.0, span.total_seconds())
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def amount(size: int) -> str:
    """Tell a number of bytes as people do."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < KIB:
            return f"{number:.1f} {unit}" if unit != "B" else f"{size} B"
        number /= KIB
    return f"{number:.1f} TiB"


def _cell(value: Any) -> Text:
    text = plain(str(value))
    return Text(text, _COLOURS.get(text, ""))
