"""The graph of stages: flaws, cycles, order, and pointwise exchange."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchyard.scheduling import dag
from switchyard.scheduling.dag import ITSELF, TWICE, UNKNOWN, Flaw
from switchyard.scheduling.errors import Cyclic

sizes = st.integers(1, 24)


@st.composite
def acyclic(draw: st.DrawFn) -> list[tuple[str, list[str]]]:
    """Stages that need only earlier ones, then shuffled."""
    count = draw(st.integers(1, 12))
    links = [
        (f"s{at}", [f"s{up}" for up in sorted(draw(st.sets(st.integers(0, at - 1))) if at else [])]) for at in range(count)
    ]
    return draw(st.permutations(links))


def test_flaws_are_named_by_position() -> None:
    links = [("a", ["a", "x"]), ("b", ["a", "a"]), ("a", [])]
    assert list(dag.flaws(links)) == [
        Flaw(0, 0, ITSELF),
        Flaw(0, 1, UNKNOWN),
        Flaw(1, 1, TWICE),
        Flaw(2, None, TWICE),
    ]


def test_cycle_is_named_in_running_order() -> None:
    links = [("start", []), ("a", ["start", "c"]), ("b", ["a"]), ("c", ["b"]), ("end", ["c"])]
    with pytest.raises(Cyclic) as caught:
        dag.build(links)
    assert caught.value.cycle in {("a", "b", "c", "a"), ("b", "c", "a", "b"), ("c", "a", "b", "c")}


def test_cycle_of_ten_thousand_is_found_and_named_shortly() -> None:
    links = [(f"s{at}", [f"s{at - 1 if at else 9_999}"]) for at in range(10_000)]
    with pytest.raises(Cyclic, match=r"9,99[0-9] more") as caught:
        dag.build(links)
    assert len(caught.value.cycle) == 10_001
    assert len(str(caught.value)) < 200


@settings(max_examples=40)
@given(acyclic())
def test_producers_come_before_their_consumers(links: list[tuple[str, list[str]]]) -> None:
    graph = dag.build(links)
    place = {name: at for at, name in enumerate(graph.order)}
    assert set(place) == {name for name, _ in links}
    assert graph.edges == sum(len(upstreams) for _, upstreams in links)
    for name, upstreams in links:
        assert graph.producers[name] == tuple(upstreams)
        assert all(place[up] < place[name] and name in graph.consumers[up] for up in upstreams)
        assert graph.levels[name] == max((graph.levels[up] + 1 for up in upstreams), default=0)


@settings(max_examples=40)
@given(acyclic(), st.data())
def test_any_edge_back_makes_a_cycle_that_exists(links: list[tuple[str, list[str]]], data: st.DataObject) -> None:
    graph = dag.build(links)
    upstream, name = sorted(data.draw(st.tuples(*[st.sampled_from(graph.order)] * 2)), key=graph.order.index)
    with_back = [(stage, [*ups, name] if stage == upstream else ups) for stage, ups in links]
    with_path = [(stage, [*ups, upstream] if stage == name else ups) for stage, ups in with_back]
    with pytest.raises(Cyclic) as caught:
        dag.build(with_path)
    producers = dict(with_path)
    cycle = caught.value.cycle
    assert cycle[0] == cycle[-1]
    assert all(before in producers[after] for before, after in pairwise(cycle))


@pytest.mark.parametrize(
    "links",
    [
        pytest.param([(f"s{at}", [f"s{at - 1}"] if at else []) for at in range(50_000)], id="chain of 50,000"),
        pytest.param(
            [(f"s{at}", [f"s{up}" for up in (2 * (at // 2) - 2, 2 * (at // 2) - 1) if up >= 0]) for at in range(4_000)],
            id="diamonds of 2^2000 paths",
        ),
    ],
)
def test_deep_graphs_take_neither_recursion_nor_long(links: list[tuple[str, list[str]]]) -> None:
    started = time.thread_time()
    graph = dag.build(links)
    assert len(graph.order) == len(links)
    assert time.thread_time() - started < 2


@settings(max_examples=40)
@given(sizes, sizes)
def test_pointwise_feeds_exactly_the_overlapping_shares(u: int, d: int) -> None:
    for i in range(u):
        overlapping = [j for j in range(d) if Fraction(i, u) < Fraction(j + 1, d) and Fraction(j, d) < Fraction(i + 1, u)]
        assert list(range(*dag.feeds(i, u, d))) == overlapping


@settings(max_examples=40)
@given(sizes, sizes)
def test_pointwise_inputs_are_the_inverse_of_feeds(u: int, d: int) -> None:
    fed = {(i, j) for i in range(u) for j in range(*dag.feeds(i, u, d))}
    assert fed == {(i, j) for j in range(d) for i in range(*dag.inputs(j, u, d))}
    assert [dag.waits(j, u, d) for j in range(d)] == [sum(j == fed_j for _, fed_j in fed) for j in range(d)]
    assert min(dag.waits(j, u, d) for j in range(d)) >= 1


def test_equal_numbers_pair_one_to_one() -> None:
    assert [dag.feeds(i, 5, 5) for i in range(5)] == [(i, i + 1) for i in range(5)]


def test_arrays_of_indexes_are_mapped_at_once() -> None:
    low, high = dag.feeds(np.arange(100_000), 100_000, 70_000)
    assert (low[99_999], high[99_999]) == dag.feeds(99_999, 100_000, 70_000)
    assert dag.waits(np.arange(3), 7, 3).tolist() == [dag.waits(j, 7, 3) for j in range(3)]


def test_stage_fed_by_no_tasks_waits_for_none() -> None:
    assert dag.waits(0, 0, 4) == 0
