"""Placement strategies: the rules that all obey, and what each of them promises."""

import heapq
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.base import STRATEGIES
from switchyard.scheduling.placement.spread import STEPS
from switchyard.scheduling.resources import Resources
from tests.scheduling.clusters import CPU, demands, node, nodes

every_strategy = pytest.mark.parametrize("name", sorted(STRATEGIES))

SLOTS = st.lists(st.integers(0, 9), min_size=1, max_size=8)
COUNTS = st.lists(st.integers(1, 12), max_size=6)

few = settings(max_examples=40)


@every_strategy
@few
@given(nodes(most=8), st.lists(st.tuples(demands(), st.integers(1, 30)), max_size=5), st.integers(0, 3))
def test_strategy_places_all_of_what_fits_and_nowhere_more(
    name: str, views: list[NodeView], asked: list[tuple[Resources, int]], seed: int
) -> None:
    cluster = Cluster(views)
    strategy = STRATEGIES[name](Start(cluster, seed))
    for demand, count in asked:
        fits = cluster.fits(demand, count)
        given_ = min(count, int(fits.sum()))
        if given_:
            counts = strategy(Ask(demand, fits, given_))
            assert counts.dtype == np.int64
            assert (counts >= 0).all()
            assert (counts <= fits).all()
            assert counts.sum() == given_
            cluster.take(demand, counts)


@every_strategy
@few
@given(nodes(most=8), st.lists(st.tuples(demands(), st.integers(1, 30)), max_size=5), st.integers(0, 3))
def test_strategy_repeats_itself_for_the_same_seed(
    name: str, views: list[NodeView], asked: list[tuple[Resources, int]], seed: int
) -> None:
    assert _placed(name, views, asked, seed) == _placed(name, views, asked, seed)


@every_strategy
def test_strategy_leaves_out_nodes_that_are_closed_to_the_request(name: str) -> None:
    cluster = Cluster([node(1), node(2), node(3)])
    counts = STRATEGIES[name](Start(cluster, 0))(Ask(CPU, np.array([0, 4, 0]), 3))
    assert counts.tolist() == [0, 3, 0]


@every_strategy
def test_strategy_can_place_what_demands_nothing(name: str) -> None:
    cluster = Cluster([node(1), node(2)])
    counts = STRATEGIES[name](Start(cluster, 0))(Ask(Resources(), cluster.fits(Resources(), 5), 5))
    assert counts.sum() == 5


BIAS_EXAMPLE = {
    "ab": [{"a": {3: 2}}, {"b": {3: 5, 2: 2}}],
    "ba": [{"b": {3: 7}}, {"a": {2: 2}}],
}
ROUND_ROBIN_EXAMPLE = {
    "ab": [{"a": {3: 1, 2: 1}}, {"b": {1: 3, 3: 2, 2: 2}}],
    "ba": [{"b": {3: 3, 2: 2, 1: 2}}, {"a": {2: 1, 1: 1}}],
}


@pytest.mark.parametrize("order", ["ab", "ba"])
@pytest.mark.parametrize(("name", "example"), [("bias", BIAS_EXAMPLE), ("round_robin", ROUND_ROBIN_EXAMPLE)])
def test_ballistas_worked_example(name: str, example: dict[str, list[dict[str, dict[int, int]]]], order: str) -> None:
    """Three executors with 3, 5 and 7 slots; job a has 2 tasks, job b has 7; they come in either order."""
    pending = {"a": 2, "b": 7}
    placed = _placed(name, _slots([3, 5, 7]), [(CPU, pending[job]) for job in order], seed=0)
    assert [{job: counts} for job, counts in zip(order, placed, strict=True)] == example[order]


@given(SLOTS, COUNTS)
def test_bias_is_ballistas_loop(slots: list[int], counts: list[int]) -> None:
    assert _placed("bias", _slots(slots), [(CPU, count) for count in counts], 0) == _ballista(
        slots, counts, lambda left, at: next(index for index in range(at, len(left)) if left[index]), step=0
    )


@given(SLOTS, COUNTS)
def test_round_robin_is_ballistas_loop(slots: list[int], counts: list[int]) -> None:
    assert _placed("round_robin", _slots(slots), [(CPU, count) for count in counts], 0) == _ballista(
        slots, counts, lambda left, at: at if at < len(left) and left[at] else 0, step=1
    )


def test_round_robin_passes_over_nodes_that_cannot_take_the_task() -> None:
    views = [node(1, 9), node(2, 8, total={"licenses": 1}), node(3, 7)]
    licensed = CPU + {"licenses": 1}
    assert _placed("round_robin", views, [(CPU, 1), (licensed, 1), (CPU, 2)], 0) == [
        {1: 1},
        {2: 1},
        {1: 1, 3: 1},
    ]


def test_best_fit_fills_the_fullest_node_first() -> None:
    views = [node(1, 8), node(2, 8, free={"cpus": 2000}), node(3, 8, free={"cpus": 5000})]
    assert _placed("best_fit", views, [(CPU, 4)], 0) == [{2: 2, 3: 2}]


def test_best_fit_keeps_gpu_nodes_free_for_work_that_needs_them() -> None:
    views = [node(1, 2, total={"gpu0": 1000}), node(2, 2)]
    assert _placed("best_fit", views, [(CPU, 2)], 0) == [{2: 2}]


def test_spread_levels_nodes_of_different_size_and_load() -> None:
    views = [node(1, 4), node(2, 8), node(3, 8, free={"cpus": 2000})]
    assert _placed("spread", views, [(CPU, 9)], 0) == [{1: 3, 2: 6}]


def test_spread_does_not_always_begin_at_the_same_of_many_idle_nodes() -> None:
    firsts = {next(iter(_placed("spread", _slots([4] * 20), [(CPU, 1)], seed)[0])) for seed in range(20)}
    assert len(firsts) > 5


@few
@given(nodes(most=8, gpus=False), demands(gpus=False), st.integers(1, 40))
def test_spread_ends_as_level_as_placing_one_by_one(views: list[NodeView], demand: Resources, count: int) -> None:
    count = min(count, int(Cluster(views).fits(demand, count).sum()))
    assume(count)
    (placed,) = _placed("spread", views, [(demand, count)], 0)
    highest = max(_level(view, demand, placed[view.id]) for view in views if view.id in placed)
    assert highest == pytest.approx(_level_one_by_one(views, demand, count), abs=2 / STEPS)


def _slots(slots: list[int]) -> list[NodeView]:
    return [node(index + 1, 16, free={"cpus": count * 1000}) for index, count in enumerate(slots)]


def _placed(name: str, views: list[NodeView], asked: list[tuple[Resources, int]], seed: int) -> list[dict[int, int]]:
    """Return how many tasks of each ask went to each node (by id)."""
    cluster = Cluster(views)
    strategy = STRATEGIES[name](Start(cluster, seed))
    placed = []
    for demand, count in asked:
        fits = cluster.fits(demand, count)
        total = min(count, int(fits.sum()))
        counts = strategy(Ask(demand, fits, total)) if total else np.zeros(len(views), dtype=np.int64)
        cluster.take(demand, counts)
        placed.append({view.id: part for view, part in zip(views, counts.tolist(), strict=True) if part})
    return placed


def _ballista(
    slots: list[int], counts: list[int], move: Callable[[list[int], int], int], *, step: int
) -> list[dict[int, int]]:
    """Bind tasks one by one to executors in order of their slots, as its scheduler does."""
    order = sorted(range(len(slots)), key=lambda index: -slots[index])
    left = [slots[index] for index in order]
    placed, cursor = [], 0
    for count in counts:
        bound: dict[int, int] = {}
        for _ in range(min(count, sum(left))):
            cursor = move(left, cursor)
            left[cursor] -= 1
            bound[order[cursor] + 1] = bound.get(order[cursor] + 1, 0) + 1
            cursor += step
        placed.append(dict(sorted(bound.items())))
    return placed


def _level(view: NodeView, demand: Resources, more: int) -> float:
    used = view.total - view.free + demand * more
    return max((used[name] / view.total[name] for name in demand if view.total[name]), default=0.0)


def _level_one_by_one(views: list[NodeView], demand: Resources, count: int) -> float:
    """Return the highest level reached if each task goes where it raises the level least."""
    fits = Cluster(views).fits(demand, count).tolist()
    heap = [(_level(view, demand, 1), 1, at) for at, view in enumerate(views) if fits[at]]
    heapq.heapify(heap)
    highest = 0.0
    for _ in range(count):
        level, number, at = heapq.heappop(heap)
        highest = max(highest, level)
        if number < fits[at]:
            heapq.heappush(heap, (_level(views[at], demand, number + 1), number + 1, at))
    return highest
