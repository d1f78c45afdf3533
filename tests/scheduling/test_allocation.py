"""Allocation: the rules that all algorithms obey, the order of FIFO, and which nodes are reserved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.allocation.base import ALGORITHMS, Order
from switchyard.scheduling.allocation.fifo import fifo
from switchyard.scheduling.allocation.lifo import lifo
from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.allocation.reserving import Reservation, choose, still_valid
from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.placement.request import Request
from switchyard.scheduling.resources import Resources
from tests.scheduling.clusters import CPU, node, nodes, request, requests

CAPACITY = Resources(cpus=16_000)
every_algorithm = pytest.mark.parametrize("name", sorted(ALGORITHMS))


@st.composite
def jobs(draw: st.DrawFn) -> list[JobRequest]:
    """Make jobs of which some run."""
    numbers = draw(st.lists(st.integers(1, 20), max_size=8, unique=True))
    return [draw(_job(number)) for number in numbers]


@st.composite
def _job(draw: st.DrawFn, number: int) -> JobRequest:
    least = draw(st.integers(1, 4))
    return JobRequest(
        job=number,
        submitted=draw(st.integers(0, 3)),
        priority=draw(st.sampled_from([50, 100])),
        running=draw(st.integers(0, 8)),
        at_least=least,
        at_most=least + draw(st.integers(0, 8)),
        demand=Resources(cpus=draw(st.sampled_from([500, 1000]))),
    )


@every_algorithm
@given(jobs())
def test_algorithm_serves_each_job_once_and_with_no_more_than_it_asks(name: str, wanted: list[JobRequest]) -> None:
    served = ALGORITHMS[name].allocate(wanted, CAPACITY)
    numbers = [target.job for target in served]
    assert len(numbers) == len(set(numbers))
    asked = {request.job: request for request in wanted}
    assert all(0 <= target.count <= asked[target.job].at_most for target in served)
    assert all(target.count >= asked[target.job].at_least for target in served if target.count)


@every_algorithm
@given(jobs())
def test_algorithm_with_an_order_grants_all_in_this_order(name: str, wanted: list[JobRequest]) -> None:
    order = ALGORITHMS[name].order
    sign = -1 if order is Order.NEWEST_FIRST else 1
    if order:
        turns = sorted(wanted, key=lambda request: (request.priority, sign * request.submitted, request.job))
        assert ALGORITHMS[name].allocate(wanted, CAPACITY) == [Target(request.job, request.at_most) for request in turns]


@every_algorithm
@given(jobs(), st.randoms(use_true_random=False))
def test_algorithm_does_not_depend_on_the_order_in_which_requests_come(
    name: str, wanted: list[JobRequest], random: st.DataObject
) -> None:
    shuffled = list(wanted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    algorithm = ALGORITHMS[name].allocate
    assert algorithm(shuffled, CAPACITY) == algorithm(wanted, CAPACITY)


def test_fifo_serves_by_priority_then_submission_then_ids_and_allows_all() -> None:
    wanted = [
        JobRequest(job=1, submitted=2, at_most=5),
        JobRequest(job=3, submitted=1, at_most=5),
        JobRequest(job=2, submitted=1, at_most=5),
        JobRequest(job=4, submitted=3, at_most=5, priority=1),
    ]
    served = fifo(wanted, CAPACITY)
    assert [target.job for target in served] == [4, 2, 3, 1]
    assert [target.count for target in served] == [5, 5, 5, 5]


def test_lifo_serves_by_priority_then_the_latest_submission() -> None:
    wanted = [
        JobRequest(job=1, submitted=2, at_most=5),
        JobRequest(job=2, submitted=1, at_most=5),
        JobRequest(job=4, submitted=0, at_most=5, priority=1),
    ]
    assert [target.job for target in lifo(wanted, CAPACITY)] == [4, 1, 2]


def test_node_with_the_largest_share_already_free_is_reserved() -> None:
    views = [node(1, 8, free={"cpus": 1000}), node(2, 8, free={"cpus": 5000}), node(3, 4)]
    assert _chosen(views, request(1, demand=CPU * 8)) == (2,)


def test_scarcest_resource_decides_which_node_is_reserved() -> None:
    views = [
        node(1, 8, total={"mem": 1000}, free={"cpus": 7000, "mem": 100}),
        node(2, 8, total={"mem": 1000}, free={"cpus": 4000, "mem": 500}),
    ]
    assert _chosen(views, request(1, demand=Resources(cpus=8000, mem=1000))) == (2,)


def test_first_of_equally_near_nodes_is_reserved() -> None:
    assert _chosen([node(id, 8, free={"cpus": 2000}) for id in (5, 3, 4)], request(1, demand=CPU * 8)) == (5,)


def test_wholly_free_devices_count_toward_the_node_that_is_reserved() -> None:
    devices = {"gpu0": 1000, "gpu1": 1000}
    views = [
        node(1, total=devices, free={"gpu0": 500, "gpu1": 500}),
        node(2, total=devices, free={"gpu0": 0}),
    ]
    assert _chosen(views, request(1, demand=Resources(gpus=2000))) == (2,)


def test_gang_reserves_as_many_nodes_as_it_needs_when_empty() -> None:
    views = [node(1, 4, free={"cpus": 0}), node(2, 4), node(3, 4, free={"cpus": 3000}), node(4, 1)]
    assert _chosen(views, request(1, 8, gang_size=8)) == (2, 4, 3)


def test_nothing_is_reserved_for_what_could_not_fit_even_when_empty() -> None:
    assert _chosen([node(1, 4), node(2, 4)], request(1, demand=CPU * 5)) == ()
    assert _chosen([node(1, 4), node(2, 4)], request(1, 9, gang_size=9)) == ()


@pytest.mark.parametrize(
    ("views", "usable", "valid"),
    [
        ([node(1, 8, free={"cpus": 0})], [True], True),
        ([node(1, 8)], [False], False),
        ([node(1, 4)], [True], False),
        ([node(2, 8)], [True], False),
    ],
    ids=["busy", "no longer usable", "shrunk", "gone"],
)
def test_reservation_lasts_while_its_nodes_could_hold_the_request(
    *, views: list[NodeView], usable: list[bool], valid: bool
) -> None:
    reservation = Reservation("default", 1, (1,), since=0)
    wanted = request(1, demand=CPU * 8)
    assert still_valid(Cluster(views), reservation, wanted, np.array(usable)) is valid


@given(nodes(), requests(most=1))
def test_what_is_chosen_could_hold_the_request_and_nothing_is_chosen_in_vain(
    views: list[NodeView], wanted: list[Request]
) -> None:
    cluster, asked = Cluster(views), wanted[0]
    chosen = _chosen(views, asked)
    fits = cluster.fits_when_empty(asked.demand, asked.together)
    held = [int(fits[cluster.positions[id]]) for id in chosen]
    if chosen:
        assert all(held)
        assert sum(held) >= asked.together > sum(held[:-1])
    else:
        assert fits.sum() < asked.together


def _chosen(views: list[NodeView], wanted: Request) -> tuple[int, ...]:
    return choose(Cluster(views), wanted, np.ones(len(views), dtype=np.bool_))
