"""The graph of a job's stages: what is wrong with it, its order, and which task feeds which.

Knows names and numbers only, no stage's content. Every walk is a loop, so a chain may be any length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from switchyard.scheduling.errors import Cyclic
from switchyard.scheduling.pointwise import Index, overlapping

Links = Sequence[tuple[str, Sequence[str]]]
_Neighbours = Mapping[str, tuple[str, ...]]


class Flaw(NamedTuple):
    """What is wrong with a stage (`upstream` None), or with the upstream that it names at that place."""

    stage: int
    upstream: int | None
    kind: str


UNKNOWN, ITSELF, TWICE = "unknown", "itself", "twice"


@dataclass(frozen=True, slots=True)
class Dag:
    """An acyclic graph of stages.

    `order` puts producers first and otherwise keeps the given order; `levels` is the longest way from a root.
    """

    order: tuple[str, ...]
    levels: Mapping[str, int]
    producers: _Neighbours
    consumers: _Neighbours
    edges: int


def flaws(links: Links) -> Iterator[Flaw]:
    """Yield names given twice, and upstreams that are unknown, the stage itself, or named twice."""
    names = {name for name, _ in links}
    seen: set[str] = set()
    for at, (name, upstreams) in enumerate(links):
        if name in seen:
            yield Flaw(at, None, TWICE)
        seen.add(name)
        yield from _upstream_flaws(at, name, upstreams, names)


def build(links: Links) -> Dag:
    """Return the graph of (stage, its upstreams) without flaws; raise Cyclic, naming a cycle."""
    producers = {name: tuple(upstreams) for name, upstreams in links}
    consumers = _consumers(producers)
    levels = _levels(producers, consumers)
    if len(levels) < len(producers):
        raise Cyclic(_cycle(producers, levels))
    return Dag(
        order=tuple(levels),
        levels=levels,
        producers=producers,
        consumers=consumers,
        edges=sum(map(len, producers.values())),
    )


def feeds(i: Index, u: int, d: int) -> tuple[Index, Index]:
    """Return [low, high) of the d downstream tasks that task i of u feeds when the exchange is pointwise.

    They are those whose share [j/d, (j+1)/d) of the whole overlaps [i/u, (i+1)/u).
    """
    return overlapping(i, i + 1, u, d)


def inputs(j: Index, u: int, d: int) -> tuple[Index, Index]:
    """Return [low, high) of the u upstream tasks that feed task j of d: the inverse of `feeds`."""
    return feeds(j, d, u)


def waits(j: Index, u: int, d: int) -> Index:
    """Return how many of the u upstream tasks task j of d waits for; none when there are none."""
    low, high = inputs(j, u, d)
    return high - low


def _upstream_flaws(at: int, name: str, upstreams: Sequence[str], names: set[str]) -> Iterator[Flaw]:
    seen: set[str] = set()
    for position, upstream in enumerate(upstreams):
        if upstream == name:
            yield Flaw(at, position, ITSELF)
        elif upstream not in names:
            yield Flaw(at, position, UNKNOWN)
        elif upstream in seen:
            yield Flaw(at, position, TWICE)
        seen.add(upstream)


def _consumers(producers: _Neighbours) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {name: [] for name in producers}
    for name, upstreams in producers.items():
        for upstream in upstreams:
            found[upstream].append(name)
    return {name: tuple(consumers) for name, consumers in found.items()}


def _levels(producers: _Neighbours, consumers: _Neighbours) -> dict[str, int]:
    """Return each stage's level, in topological order (Kahn); stages on or behind a cycle are missing."""
    open_inputs = {name: len(upstreams) for name, upstreams in producers.items()}
    levels = {name: 0 for name, count in open_inputs.items() if not count}
    ready = list(levels)
    for name in ready:
        for consumer in consumers[name]:
            open_inputs[consumer] -= 1
            if not open_inputs[consumer]:
                levels[consumer] = 1 + max(levels[upstream] for upstream in producers[consumer])
                ready.append(consumer)
    return levels


def _cycle(producers: _Neighbours, levels: Mapping[str, int]) -> list[str]:
    """Walk upstream from a stage that never became ready until one repeats; return that loop downstream."""
    name = next(name for name in producers if name not in levels)
    steps: dict[str, int] = {}
    while name not in steps:
        steps[name] = len(steps)
        name = next(upstream for upstream in producers[name] if upstream not in levels)
    loop = [*list(steps)[steps[name] :], name]
    return loop[::-1]
