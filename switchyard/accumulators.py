"""What a task adds up, by kind: plain numbers are sums, all else an object of the kind and what there is of it by now."""

import math
from numbers import Integral, Real
from typing import Any

#: The largest sum of the kind `int`, and how far below zero it may be.
LARGEST, LEAST = 2**31 - 1, -(2**31)
_EMPTY: dict[str, Any] = {"int": 0, "long": 0, "double": 0.0, "average": [0, 0], "histogram": {}}


def added(name: str, kept: Any, value: object, kind: str | None) -> Any:
    """Return what is kept once a value is added to it; raise ValueError for what does not go together."""
    if kind is None:
        if isinstance(kept, dict):
            raise ValueError(f"{name} is of the kind {next(iter(kept))!r}: say so each time")
        return number(name, (kept or 0) + number(name, value))
    if kind not in _EMPTY:
        raise ValueError(f"the kind of {name} must be one of {', '.join(_EMPTY)}, not {kind!r:.100}")
    if kept is not None and not isinstance(kept, dict):
        raise ValueError(f"{name} is a plain sum, not of the kind {kind!r}")
    if kept is not None and kind not in kept:
        raise ValueError(f"{name} is of the kind {next(iter(kept))!r}, not {kind!r}")
    return {kind: _ADD[kind](name, kept[kind] if kept else _EMPTY[kind], value)}


def number(name: str, value: object) -> float:
    """Return a value that is a finite number; raise ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, not {value!r:.100}")
    # Scalars of numpy are none of Python's own.
    return int(value) if isinstance(value, Integral) else float(value)


def _whole(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, not {value!r:.100}")
    return int(value)


def _int(name: str, total: int, value: object) -> int:
    total += _whole(name, value)
    if not LEAST <= total <= LARGEST:
        raise ValueError(f"{name} does not fit in 32 bits any more: use the kind long")
    return total


def _long(name: str, total: int, value: object) -> int:
    return total + _whole(name, value)


def _double(name: str, total: float, value: object) -> float:
    return number(name, total + float(number(name, value)))


def _average(name: str, kept: list[float], value: object) -> list[float]:
    return [number(name, kept[0] + number(name, value)), kept[1] + 1]


def _histogram(name: str, counted: dict[str, int], value: object) -> dict[str, int]:
    key = str(_whole(name, value))
    return counted | {key: counted.get(key, 0) + 1}


_ADD: dict[str, Any] = {"int": _int, "long": _long, "double": _double, "average": _average, "histogram": _histogram}
