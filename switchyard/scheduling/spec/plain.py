"""Is it plain JSON of bounded size? Asked of decoded data before anything looks at what it means.

One loop without recursion, so depth costs nothing. It also keeps out of the free parts (config, args, items)
what PostgreSQL or other readers of the job would choke on: control characters, NaN, numbers of more digits than Python reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from switchyard.scheduling.errors import Fault
from switchyard.scheduling.spec.faults import path_of
from switchyard.scheduling.spec.limits import DEPTH, DIGITS, ITEMS, MEMBERS, Limits, over

UNFIT = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")

_FREE = {"config", "args", "kwargs", "foreach"}
_LOW, _HIGH = -(2**63), 2**63
#: Whole numbers of users, in the free parts, have no more digits than Python reads and writes.
_LONGEST = 10**DIGITS

# A path is kept as links to its parent and written out only for a fault.
_Path = tuple[Any, Any] | None


def faults(data: object, limits: Limits) -> Iterator[Fault]:
    """Yield what keeps `data` from being plain JSON within bounds; too deep and too many end the search."""
    nodes = 1
    stack: list[tuple[Any, _Path, int, bool]] = [(data, None, 1, False)] if isinstance(data, dict | list) else []
    while stack:
        value, path, depth, free = stack.pop()
        nodes += len(value)
        crowd = _crowd(value, path, depth, nodes, limits, free=free)
        if crowd is not None:
            yield crowd
            return
        yield from _unfit_keys(value, path)
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(child, dict | list):
                stack.append((child, (path, key), depth + 1, free or key in _FREE))
            elif reason := _unfit(child, free=free or key in _FREE):
                yield Fault(_written((path, key)), reason)


def _crowd(value: Any, path: _Path, depth: int, nodes: int, limits: Limits, *, free: bool) -> Fault | None:
    if depth > DEPTH:
        return Fault(_written(path)[:200], f"is nested deeper than {DEPTH} levels")
    if nodes > limits.nodes:
        return over("", f"more than {limits.nodes:,} values", "nodes", limits)
    most = MEMBERS if isinstance(value, dict) else ITEMS
    if len(value) > most and not free and not (path and path[1] == "stages"):
        return Fault(_written(path), f"has {len(value):,} entries; at most {most:,} are allowed")
    return None


def _unfit_keys(value: Any, path: _Path) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                yield Fault(_written(path), f"the key {key!r:.60} must be text")
            elif UNFIT.search(key):
                yield Fault(_written(path), f"the key {key[:60]!r} has a control character")


def _unfit(value: object, *, free: bool) -> str:
    if isinstance(value, str):
        found = UNFIT.search(value)
        return f"must not contain the character {found[0]!r}" if found else ""
    if isinstance(value, float):
        return "" if isfinite(value) else "must be a finite number"
    if isinstance(value, int):
        return _out_of_range(value, free=free)
    return "" if value is None else f"must be plain JSON, not {type(value).__name__}"


def _out_of_range(value: int, *, free: bool) -> str:
    if free:
        return "" if abs(value) < _LONGEST else f"must have at most {DIGITS:,} digits"
    return "" if _LOW <= value < _HIGH else "must fit in 64 bits"


def _written(path: _Path) -> str:
    parts: list[str | int] = []
    while path is not None:
        path, key = path
        parts.append(key if isinstance(key, str | int) else repr(key))
    return path_of(reversed(parts))
