"""The cluster of one round: counting what fits, and taking it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.resources import Resources, hold
from tests.scheduling.clusters import CPU, demands, node, nodes
from tests.scheduling.one_by_one import choose_devices, fits

few = settings(max_examples=40)


def test_scarcest_resource_decides_how_many_fit() -> None:
    cluster = Cluster([node(1, 8, total={"mem": 250}), node(2, 1, total={"mem": 1000})])
    assert cluster.fits(CPU + {"mem": 100}, 100).tolist() == [2, 1]


def test_count_stops_at_what_is_asked_for() -> None:
    assert Cluster([node(1, 64)]).fits(CPU, 10).tolist() == [10]


def test_resource_that_no_node_has_fits_nowhere() -> None:
    cluster = Cluster([node(1)])
    assert cluster.fits(CPU + {"licenses": 1}, 5).tolist() == [0]
    assert not cluster.could_hold(CPU + {"gpus": 500}).any()


def test_node_that_shrank_below_what_it_holds_takes_nothing() -> None:
    assert Cluster([node(1, 2, free={"cpus": -1000})]).fits(CPU, 5).tolist() == [0]


def test_empty_cluster_fits_nothing() -> None:
    assert Cluster([]).fits(CPU, 5).tolist() == []


def test_unavailable_node_says_why_and_does_not_accept() -> None:
    assert not node(1, unavailable="paused").accepting
    assert node(1).accepting


def test_slots_are_counted_in_the_size_of_each_node() -> None:
    cluster = Cluster([node(1, 4), node(2, 4, slot_cpus=2000), node(3, 4, free={"cpus": 500})])
    assert cluster.free_slots().tolist() == [4, 2, 0]


def test_gpu_fractions_count_per_device() -> None:
    cluster = Cluster([node(1, 64, total={"gpu0": 1000, "gpu1": 1000}, free={"gpu1": 700})])
    assert cluster.fits(Resources(gpus=400), 9).tolist() == [3]
    assert cluster.fits(Resources(gpus=1000), 9).tolist() == [1]
    assert cluster.fits_when_empty(Resources(gpus=2000), 9).tolist() == [1]


def test_alike_fractions_are_split_by_device_not_by_task() -> None:
    cluster = Cluster([node(1, 64, total={"gpu0": 1000, "gpu1": 1000}, free={"gpu1": 500})])
    taken = cluster.take(Resources(gpus=100), np.array([12]))
    assert taken == [(0, 7, Resources(gpu0=100)), (0, 5, Resources(gpu1=100))]


def test_each_task_with_whole_gpus_has_devices_of_its_own() -> None:
    cluster = Cluster([node(1, 64, total={f"gpu{number}": 1000 for number in range(5)}, free={"gpu1": 900})])
    taken = cluster.take(Resources(gpus=2000), np.array([2]))
    assert taken == [(0, 1, Resources(gpu0=1000, gpu2=1000)), (0, 1, Resources(gpu3=1000, gpu4=1000))]
    assert cluster.fits(Resources(gpus=500), 9).tolist() == [1]


def test_whole_gpus_are_taken_by_number() -> None:
    cluster = Cluster([node(1, 64, total={f"gpu{number}": 1000 for number in range(4)})])
    assert cluster.take(Resources(gpus=1000), np.array([1])) == [(0, 1, Resources(gpu0=1000))]


def test_a_million_tasks_are_taken_in_one_piece_per_node() -> None:
    cluster = Cluster([node(id, 1_000_000) for id in range(2)])
    assert cluster.take(CPU, np.array([1_000_000, 3])) == [(0, 1_000_000, Resources()), (1, 3, Resources())]


@few
@given(nodes(), demands(), st.integers(0, 20))
def test_count_is_that_of_taking_one_by_one(views: list[NodeView], demand: Resources, limit: int) -> None:
    counted = Cluster(views).fits(demand, limit).tolist()
    assert counted == [len(_one_by_one(view.free, demand, limit)) for view in views]


@few
@given(nodes(), demands(), st.data())
def test_taking_at_once_chooses_the_devices_of_taking_one_by_one(
    views: list[NodeView], demand: Resources, data: st.DataObject
) -> None:
    cluster = Cluster(views)
    counts = [data.draw(st.integers(0, most)) for most in cluster.fits(demand, 20).tolist()]
    taken = cluster.take(demand, np.array(counts))
    for position, view in enumerate(views):
        mine = Counter(devices for at, count, devices in taken if at == position for _ in range(count))
        assert mine == Counter(_one_by_one(view.free, demand, counts[position]))


@few
@given(nodes(), demands(), demands(), st.data())
def test_what_is_taken_is_gone_for_the_next(
    views: list[NodeView], first: Resources, second: Resources, data: st.DataObject
) -> None:
    cluster = Cluster(views)
    counts = [data.draw(st.integers(0, most)) for most in cluster.fits(first, 20).tolist()]
    taken = cluster.take(first, np.array(counts))
    left = [view.free for view in views]
    for position, count, devices in taken:
        left[position] -= hold(first, devices) * count
    assert cluster.fits(second, 20).tolist() == [len(_one_by_one(free, second, 20)) for free in left]


@few
@given(nodes(), demands())
def test_a_task_is_offered_enough_exactly_where_it_fits(views: list[NodeView], demand: Resources) -> None:
    cluster = Cluster(views)
    offered = cluster.usable(demand)
    for position, view in enumerate(views):
        enough = all(offered[row, position] >= amount for row, amount in enumerate(demand.values()))
        assert enough == fits(demand, view.free)


@pytest.mark.parametrize("empty", [True, False])
def test_usable_gpus_are_the_emptiest_device_or_the_wholly_free_ones(*, empty: bool) -> None:
    devices = {"gpu0": 1000, "gpu1": 1000, "gpu2": 1000}
    cluster = Cluster([node(1, total=devices, free={"gpu0": 300, "gpu1": 600, "gpu2": 0})])
    assert cluster.usable(Resources(gpus=500), empty=empty).tolist() == [[1000 if empty else 600]]
    assert cluster.usable(Resources(gpus=1000), empty=empty).tolist() == [[3000 if empty else 0]]


def _one_by_one(free: Resources, demand: Resources, limit: int) -> list[Resources]:
    """Return the devices of each task, as many as fit."""
    chosen: list[Resources] = []
    while len(chosen) < limit and fits(demand, free):
        devices = choose_devices(demand["gpus"], free)
        assert devices is not None
        chosen.append(devices)
        free -= hold(demand, devices)
    return chosen
