"""Sets of task indexes as ranges: what a stage has ready, what a node holds, what a report ends.

Tasks of one stage are alike, so most sets are one to three ranges and every operation is linear in the number
of ranges, never in the number of indexes. The text form is that of PostgreSQL's int4multirange.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

Range = tuple[int, int]

_RANGE = re.compile(r"\[(-?[0-9]+),(-?[0-9]+)\)")
#: Characters of a text that is kept with its set.
SHORT = 40
_MULTIRANGE = re.compile(rf"\{{(?:{_RANGE.pattern}(?:,{_RANGE.pattern})*)?\}}")


@dataclass(frozen=True, slots=True)
class IndexSet:
    """A set of ints as sorted, disjoint, never touching half-open ranges.

    The constructor trusts its argument; build from anything unsorted with `of` or `from_indexes`.
    """

    ranges: tuple[Range, ...] = ()

    @classmethod
    def span(cls, low: int, high: int) -> IndexSet:
        """Return [low, high), which is empty when high is not above low."""
        return cls(((low, high),)) if low < high else cls()

    @classmethod
    def of(cls, ranges: Iterable[Sequence[int]]) -> IndexSet:
        """Return the union of half-open ranges in any order; they may overlap, touch or be empty."""
        return cls(tuple(_merged(sorted((low, high) for low, high in ranges if low < high))))

    @classmethod
    def from_indexes(cls, indexes: Iterable[int]) -> IndexSet:
        """Return the set of single indexes, in any order and possibly repeated."""
        ordered = sorted(indexes)
        if len(ordered) == 1:
            return cls(((ordered[0], ordered[0] + 1),))
        return cls(tuple(_merged((index, index + 1) for index in ordered)))

    @classmethod
    def from_multirange(cls, text: str) -> IndexSet:
        """Read PostgreSQL's canonical form, such as '{[0,5),[7,9)}'; raise ValueError for anything else."""
        return _read_short(text) if len(text) <= SHORT else _read(text)

    @classmethod
    def from_json(cls, data: Sequence[Sequence[int]]) -> IndexSet:
        """Read the list of [low, high] pairs that `to_json` writes."""
        return cls.of(data)

    def to_multirange(self) -> str:
        """Return PostgreSQL's text form, such as '{[0,5),[7,9)}'."""
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            return f"{{[{low},{high})}}"
        return "{" + ",".join(f"[{low},{high})" for low, high in self.ranges) + "}"

    def to_json(self) -> list[list[int]]:
        """Return the ranges as [[low, high], ...]."""
        return [[low, high] for low, high in self.ranges]

    def __len__(self) -> int:
        if len(self.ranges) == 1:
            low, high = self.ranges[0]
            return high - low
        return sum(high - low for low, high in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[int]:
        """Iterate over the single indexes; take `ranges` to stay cheap."""
        return chain.from_iterable(range(low, high) for low, high in self.ranges)

    def __contains__(self, index: object) -> bool:
        if not isinstance(index, int):
            return False
        at = bisect_right(self.ranges, index, key=_low) - 1
        return at >= 0 and index < self.ranges[at][1]

    def __or__(self, other: IndexSet) -> IndexSet:
        if not (self.ranges and other.ranges):
            return self if self.ranges else other
        return IndexSet(tuple(_merged(sorted(self.ranges + other.ranges))))

    def __and__(self, other: IndexSet) -> IndexSet:
        return IndexSet(tuple(_common(self.ranges, other.ranges)))

    def __sub__(self, other: IndexSet) -> IndexSet:
        if not (self.ranges and other.ranges):
            return self
        return IndexSet(tuple(_without(self.ranges, other.ranges)))

    def take(self, count: int) -> tuple[IndexSet, IndexSet]:
        """Split into the lowest `count` indexes (all, if there are fewer) and the rest."""
        for at, (low, high) in enumerate(self.ranges):
            if count < high - low:
                taken = self.ranges[:at] + (((low, low + count),) if count > 0 else ())
                return IndexSet(taken), IndexSet(((low + max(count, 0), high), *self.ranges[at + 1 :]))
            count -= high - low
        return self, IndexSet()


def _read(text: str) -> IndexSet:
    if not _MULTIRANGE.fullmatch(text):
        raise ValueError(f"not an int4multirange: {text[:40]!r}")
    return IndexSet.of((int(low), int(high)) for low, high in _RANGE.findall(text))


#: Of the thousands of rows that a round reads, most have the same few sets.
_read_short = lru_cache(maxsize=8192)(_read)


def _low(span: Range) -> int:
    return span[0]


def _merged(ordered: Iterable[Range]) -> Iterator[Range]:
    """Join ranges, sorted by their low end, that overlap or touch."""
    source = iter(ordered)
    low, high = next(source, (0, 0))
    for next_low, next_high in source:
        if next_low <= high:
            high = max(high, next_high)
        else:
            yield low, high
            low, high = next_low, next_high
    if low < high:
        yield low, high


def _common(left: tuple[Range, ...], right: tuple[Range, ...]) -> Iterator[Range]:
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low < high:
            yield low, high
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1


def _without(left: tuple[Range, ...], right: tuple[Range, ...]) -> Iterator[Range]:
    first = 0
    for low, high in left:
        while first < len(right) and right[first][1] <= low:
            first += 1
        kept, at = low, first
        while at < len(right) and right[at][0] < high:
            if kept < right[at][0]:
                yield kept, right[at][0]
            kept = right[at][1]
            at += 1
        if kept < high:
            yield kept, high
