"""Statements: which ones the web sent, and how long they took, as PostgreSQL's log tells of its connections alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: What a web is given whose statements are to be told of.
TOLD_OF = {"web": {"PGOPTIONS": "-c log_min_duration_statement=0"}}
_LINE = re.compile(r"LOG:  duration: ([0-9.]+) ms  (statement|execute|bind|parse)")
_RUNS = ("statement", "execute")


@dataclass(slots=True)
class Statements:
    """What was sent while a block lasted: how many, and the longest in milliseconds."""

    count: int = 0
    slowest_ms: float = 0.0


@contextmanager
def told(log: Path) -> Iterator[Statements]:
    """Give what is filled in once the block has ended."""
    found = Statements()
    with log.open() as lines:
        lines.seek(0, 2)
        yield found
        for milliseconds, kind in _LINE.findall(lines.read()):
            found.count += kind in _RUNS
            found.slowest_ms = max(found.slowest_ms, float(milliseconds))
