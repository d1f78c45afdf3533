"""Accumulators: what tasks add up, of five kinds, as one task told it or merged of many. Pure.

A number is a sum; of the other kinds a task tells an object of the kind and what it has by now (switchyard.accumulators).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, TypeGuard


class Kind(StrEnum):
    """What is kept of the values that are added."""

    INT = "int"
    LONG = "long"
    DOUBLE = "double"
    AVERAGE = "average"
    HISTOGRAM = "histogram"


class Accumulator(NamedTuple):
    """A sum or an average, or how often each whole number was added."""

    name: str
    kind: Kind
    value: float | Mapping[int, int]


KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind}
_WHOLE = re.compile(r"-?[0-9]{1,30}")


class Part(NamedTuple):
    """A part of an accumulator: of an average "1" is the sum and "2" the count, of a histogram a number that was added."""

    name: str
    kind: Kind
    part: str
    amount: float


def of_task(told: Mapping[str, Any]) -> list[Accumulator]:
    """Return what one task has added up, by name; whatever is none of the five kinds is left out."""
    return merged(part for name, value in told.items() for part in _parts(name, value))


def _parts(name: str, told: object) -> Iterator[Part]:
    if _is_number(told):
        yield Part(name, Kind.LONG if isinstance(told, int) else Kind.DOUBLE, "", told)
    for kind, value in told.items() if isinstance(told, dict) else ():
        found = {"": value} | dict(enumerate(value, 1)) if isinstance(value, list) else value
        for part, amount in found.items() if isinstance(found, dict) else [("", value)]:
            if kind in KINDS and _is_number(amount):
                yield Part(name, KINDS[kind], str(part), amount)


def merged(parts: Iterable[Part]) -> list[Accumulator]:
    """Put parts together that are of one name and kind; what lacks a part of its kind is none."""
    totals: dict[tuple[str, Kind], dict[str, float]] = defaultdict(lambda: defaultdict(int))
    for name, kind, part, amount in parts:
        totals[name, kind][part] += amount
    made = ((name, kind, _value(kind, found)) for (name, kind), found in sorted(totals.items()))
    return [Accumulator(name, kind, value) for name, kind, value in made if value is not None]


def _value(kind: Kind, parts: Mapping[str, float]) -> float | Mapping[int, int] | None:
    match kind:
        case Kind.HISTOGRAM:
            counted = {int(part): int(amount) for part, amount in parts.items() if _WHOLE.fullmatch(part)}
            return dict(sorted(counted.items())) or None
        case Kind.AVERAGE:
            return parts["1"] / parts["2"] if parts.get("1") is not None and parts.get("2") else None
        case Kind.DOUBLE:
            return float(parts[""]) if "" in parts else None
        case _:
            return int(parts[""]) if "" in parts else None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
