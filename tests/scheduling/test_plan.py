"""Planning: who is placed, who is refused, and how a big request gets its room."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.placement.base import STRATEGIES
from switchyard.scheduling.plan import Placement, Plan, Policy, Request, Reservation, plan
from switchyard.scheduling.refusals import Reason, Why
from switchyard.scheduling.resources import NOTHING, Resources, hold
from tests.scheduling.clusters import CPU, left_over, node, nodes, on, per_node, request, requests, total
from tests.scheduling.one_by_one import choose_devices, fits

POLICIES = st.builds(Policy, placement=st.sampled_from(sorted(STRATEGIES)))
BIG = CPU * 4

few = settings(max_examples=40)


def test_alike_tasks_are_one_placement_per_node() -> None:
    done = _plan([node(1, 100_000), node(2, 50_000)], [request(1, 120_000)])
    assert done.placements == (on(1, 1, 100_000), on(1, 2, 20_000))
    assert done.refusals == {}


def test_placement_names_the_devices_of_its_tasks() -> None:
    views = [node(1, 8, total={"gpu0": 1000, "gpu1": 1000})]
    done = _plan(views, [request(1, 3, demand=CPU + {"gpus": 500}), request(2, 1, demand=Resources(gpus=1000))])
    assert done.placements == (on(1, 1, 2, gpu0=500), on(1, 1, 1, gpu1=500))
    assert list(done.refusals) == [2]


def test_earlier_and_more_urgent_requests_get_the_room() -> None:
    wanted = [request(1, 3), request(2, 3), request(3, 3, priority=1)]
    done = _plan([node(1, 4)], wanted)
    assert [total(done.placements, stage) for stage in (1, 2, 3)] == [1, 0, 3]
    assert sorted(done.refusals) == [1, 2]


def test_smaller_request_behind_takes_room_that_the_first_cannot_use() -> None:
    done = _plan([node(1, 4, free={"cpus": 3000})], [request(1, demand=BIG), request(2, 5)])
    assert [total(done.placements, stage) for stage in (1, 2)] == [0, 3]


def test_pools_do_not_share_nodes() -> None:
    views = [node(1, 2), node(2, 2, pool="gpu")]
    done = _plan(views, [request(1, 5), request(2, 1, pool="gpu"), request(3, 1, pool="none")])
    assert per_node(done.placements, 1) == {1: 2}
    assert per_node(done.placements, 2) == {2: 1}
    assert done.refusals[3].infeasible


def test_gang_is_placed_whole_across_nodes() -> None:
    done = _plan([node(1, 2), node(2, 2), node(3, 1)], [request(1, 5, gang_size=5)])
    assert total(done.placements, 1) == 5
    assert done.refusals == {}


def test_gang_that_does_not_fit_whole_takes_nothing() -> None:
    done = _plan([node(1, 2), node(2, 2)], [request(1, 5, gang_size=5), request(2, 4)])
    assert [total(done.placements, stage) for stage in (1, 2)] == [0, 4]


def test_round_that_has_nothing_to_do_is_empty() -> None:
    assert _plan([node(1)], []) == _plan([], [request(1, 0)]) == Plan((), {}, ())


def test_alike_requests_are_refused_alike() -> None:
    done = _plan([node(1, 4, free={"cpus": 0})], [request(stage) for stage in range(1, 4)])
    assert done.refusals[1] is done.refusals[2] is done.refusals[3]


def test_big_request_reserves_only_after_it_has_long_been_refused() -> None:
    views = [node(1, 4, free={"cpus": 1000}), node(2, 4, free={"cpus": 2000})]
    wanted = [request(1, demand=BIG), request(2, 9)]
    early = _plan(views, wanted, now=9.9)
    assert early.reservations == ()
    assert total(early.placements, 2) == 3
    late = _plan(views, wanted, now=10.0)
    assert late.reservations == (Reservation("default", 1, (2,), since=10.0),)
    assert per_node(late.placements, 2) == {1: 1}
    assert late.refusals[1].reasons[-1] == Reason(Why.RESERVING, 1)
    assert Reason(Why.RESERVED, 1) in late.refusals[2].reasons


def test_reservation_stays_where_it_is_when_another_node_becomes_the_better_one() -> None:
    views = [node(1, 4, free={"cpus": 3000}), node(2, 4, free={"cpus": 1000})]
    before = Reservation("default", 1, (2,), since=10.0)
    done = _plan(views, [request(1, demand=BIG), request(2, 9)], now=20, reserved=[before])
    assert done.reservations == (before,)
    assert per_node(done.placements, 2) == {1: 3}


def test_reservation_ends_when_its_stage_is_placed() -> None:
    before = Reservation("default", 1, (1,), since=10.0)
    done = _plan([node(1, 8)], [request(1, demand=BIG), request(2, 9)], now=20, reserved=[before])
    assert done.reservations == ()
    assert [total(done.placements, stage) for stage in (1, 2)] == [1, 4]


def test_reservation_ends_when_its_stage_no_longer_asks() -> None:
    before = Reservation("default", 1, (1,), since=10.0)
    done = _plan([node(1, 4)], [request(2, 9)], now=20, reserved=[before])
    assert done.reservations == ()
    assert total(done.placements, 2) == 4


def test_reservation_moves_when_its_node_is_paused() -> None:
    views = [node(1, 4, unavailable="paused"), node(2, 4, free={"cpus": 0})]
    before = Reservation("default", 1, (1,), since=10.0)
    done = _plan(views, [request(1, demand=BIG)], now=20, reserved=[before])
    assert done.reservations == (Reservation("default", 1, (2,), since=20),)


def test_reserved_node_is_closed_to_more_urgent_requests_too() -> None:
    before = Reservation("default", 1, (1,), since=10.0)
    wanted = [request(1, demand=BIG), request(2, 9, priority=1)]
    done = _plan([node(1, 4, free={"cpus": 3000})], wanted, now=20, reserved=[before])
    assert done.placements == ()


def test_request_that_reserves_is_served_though_a_like_one_before_it_is_shut_out() -> None:
    before = Reservation("default", 2, (1,), since=10.0)
    done = _plan([node(1, 4)], [request(1, demand=BIG), request(2, demand=BIG)], now=20, reserved=[before])
    assert [total(done.placements, stage) for stage in (1, 2)] == [0, 1]


def test_room_beside_what_reserved_it_is_open_again_to_those_behind() -> None:
    before = Reservation("default", 2, (1,), since=10.0)
    wanted = [request(1), request(2, demand=BIG), request(3)]
    done = _plan([node(1, 5)], wanted, now=20, reserved=[before])
    assert [total(done.placements, stage) for stage in (1, 2, 3)] == [0, 1, 1]


def test_request_that_waits_for_its_turn_reserves_nothing() -> None:
    wanted = [request(1, 100, waiting_since=100), request(2, demand=BIG)]
    done = _plan([node(1, 4, free={"cpus": 1000})], wanted, now=100)
    assert total(done.placements, 1) == 1
    assert done.reservations == ()


def test_request_reserves_nodes_that_those_before_it_cannot_use() -> None:
    views = [node(1, 4, free={"cpus": 3000}), node(2, 4, free={"cpus": 1000})]
    wanted = [request(1, 100, excluded=frozenset({2}), waiting_since=100), request(2, demand=BIG)]
    assert _plan(views, wanted, now=100).reservations == (Reservation("default", 2, (2,), since=100),)


def test_each_pool_keeps_one_reservation() -> None:
    views = [node(id, 4, free={"cpus": 0}, pool=pool) for id, pool in enumerate(["a", "a", "b"])]
    wanted = [request(stage, demand=BIG, pool=pool) for stage, pool in enumerate(["a", "a", "b", "b"])]
    assert [(kept.pool, kept.stage) for kept in _plan(views, wanted, now=60).reservations] == [
        ("a", 0),
        ("b", 2),
    ]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize(("count", "gang_size", "demand"), [(1, 0, CPU * 8), (20, 20, CPU)], ids=["big", "gang"])
def test_endless_small_tasks_cannot_starve_a_big_request(
    strategy: str, count: int, gang_size: int, demand: Resources
) -> None:
    big = request(0, count, demand=demand, gang_size=gang_size)
    small = request(1, 1000)
    rounds = _Rounds([node(id, 8) for id in range(1, 4)], Policy(placement=strategy), seed=1)
    rounds.run([small], 5)
    placed = rounds.run([big, small], 40)
    assert total(placed, 0) == count


def test_without_a_reservation_the_small_tasks_would_starve_it() -> None:
    rounds = _Rounds([node(id, 8) for id in range(1, 4)], Policy(reserve_after=1e9), seed=1)
    rounds.run([request(1, 1000)], 5)
    assert total(rounds.run([request(0, demand=CPU * 8), request(1, 1000)], 40), 0) == 0


@few
@given(nodes(), requests(most=1), POLICIES, st.integers(0, 9))
def test_whatever_could_run_on_an_empty_cluster_is_placed_in_the_end(
    views: list[NodeView], wanted: list[Request], policy: Policy, seed: int
) -> None:
    asked = replace(wanted[0], waiting_since=0)
    able = [view for view in views if _may(view, asked)]
    could = int(Cluster(able).fits_when_empty(asked.demand, asked.together).sum()) >= asked.together
    small = request(99, 1000, submitted=99, pool=asked.pool, demand=Resources(cpus=500))
    rounds = _Rounds(views, policy, seed)
    rounds.run([small], 3)
    assert bool(total(rounds.run([asked, small], 30), asked.stage)) is could


@few
@given(nodes(), requests(), POLICIES, st.integers(0, 3))
def test_plan_never_exceeds_what_is_free_and_uses_only_nodes_that_may_be_used(
    views: list[NodeView], wanted: list[Request], policy: Policy, seed: int
) -> None:
    done = plan(Cluster(views), wanted, policy, now=100, seed=seed)
    left_over(views, {asked.stage: asked.demand for asked in wanted}, done.placements)
    by_id = {view.id: view for view in views}
    by_stage = {asked.stage: asked for asked in wanted}
    for placement in done.placements:
        view, asked = by_id[placement.node], by_stage[placement.stage]
        assert view.accepting
        assert view.pool == asked.pool
        assert view.id not in asked.excluded


@few
@given(nodes(), requests(), POLICIES, st.integers(0, 3))
def test_every_task_is_placed_or_refused(views: list[NodeView], wanted: list[Request], policy: Policy, seed: int) -> None:
    done = plan(Cluster(views), wanted, policy, now=100, seed=seed)
    for asked in wanted:
        placed = total(done.placements, asked.stage)
        assert (placed < asked.count) == (asked.stage in done.refusals)
        assert placed <= asked.count
        assert not asked.gang_size or placed % asked.gang_size == 0


@few
@given(nodes(), requests(), POLICIES, st.randoms(use_true_random=False), st.integers(0, 3))
def test_plan_repeats_itself_whatever_the_order_of_the_requests(
    views: list[NodeView], wanted: list[Request], policy: Policy, shuffler: random.Random, seed: int
) -> None:
    shuffled = list(wanted)
    shuffler.shuffle(shuffled)
    one = plan(Cluster(views), wanted, policy, now=100, seed=seed)
    assert plan(Cluster(views), shuffled, policy, now=100, seed=seed) == one


@few
@given(nodes(), requests())
def test_plan_is_that_of_placing_one_by_one(views: list[NodeView], wanted: list[Request]) -> None:
    done = plan(Cluster(views), wanted, Policy(reserve_after=1e9), now=100, seed=0)
    tasks = [
        (placement.stage, placement.node, placement.devices) for placement in done.placements for _ in range(placement.count)
    ]
    assert sorted(tasks, key=repr) == sorted(_one_by_one(views, wanted), key=repr)


@few
@given(nodes(), requests(), POLICIES, st.data())
def test_reserved_nodes_take_only_the_stage_they_are_reserved_for(
    views: list[NodeView], wanted: list[Request], policy: Policy, data: st.DataObject
) -> None:
    before = plan(Cluster(views), wanted, policy, now=100, seed=0).reservations
    now_free = [data.draw(_freer(view)) for view in views]
    after = plan(Cluster(now_free), wanted, policy, now=101, seed=0, reserved=before)
    for reservation in before:
        kept = reservation in after.reservations
        assert kept != bool(total(after.placements, reservation.stage))
        if kept:
            assert not any(placement.node in reservation.nodes for placement in after.placements)


class _Rounds:
    """A cluster over many rounds, one second each; a task ends after one to six of them."""

    def __init__(self, views: list[NodeView], policy: Policy, seed: int) -> None:
        self.reserved: tuple[Reservation, ...] = ()
        self._views = views
        self._policy = policy
        self._random = random.Random(seed)
        self._running: list[tuple[int, Placement, Resources]] = []
        self._now = 0

    def run(self, wanted: list[Request], rounds: int) -> list[Placement]:
        """Run the rounds; a small request asks again in each, another until some of it is placed."""
        placed: list[Placement] = []
        for _ in range(rounds):
            waiting = [asked for asked in wanted if asked.count >= 1000 or not total(placed, asked.stage)]
            placed += self.step(waiting).placements
        return placed

    def step(self, wanted: list[Request]) -> Plan:
        self._now += 1
        self._running = [task for task in self._running if task[0] > self._now]
        done = plan(Cluster(self._free()), wanted, self._policy, now=self._now, seed=self._now, reserved=self.reserved)
        self.reserved = done.reservations
        demands = {asked.stage: asked.demand for asked in wanted}
        for placement in done.placements:
            for _ in range(placement.count):
                self._running.append((self._now + self._random.randint(1, 6), placement, demands[placement.stage]))
        return done

    def _free(self) -> list[NodeView]:
        free = {view.id: view.total for view in self._views}
        for _, placement, demand in self._running:
            free[placement.node] -= hold(demand, placement.devices)
        return [replace(view, free=free[view.id]) for view in self._views]


def _plan(views: list[NodeView], wanted: list[Request], *, now: float = 0, reserved: list[Reservation] | None = None) -> Plan:
    return plan(Cluster(views), wanted, Policy(), now=now, seed=0, reserved=reserved or [])


@st.composite
def _freer(draw: st.DrawFn, view: NodeView) -> NodeView:
    """Let some of a node's work end."""
    free = {
        name: draw(st.sampled_from([view.free[name], max(view.free[name], amount)])) for name, amount in view.total.items()
    }
    return replace(view, free=Resources(free))


def _one_by_one(views: list[NodeView], wanted: list[Request]) -> list[tuple[int, int, Resources]]:
    """Place task by task: first come first served, each on the first node by free slots that has room."""
    free = {view.id: view.free for view in views}
    order = sorted(views, key=lambda view: -max(0, view.free["cpus"] // view.slot_cpus))
    placed: list[tuple[int, int, Resources]] = []
    for asked in sorted(wanted, key=lambda asked: (asked.turn, asked.stage)):
        tasks, after = _one_stage(order, asked, free)
        size = asked.gang_size or 1
        if len(tasks) % size:
            asked_less = len(tasks) - len(tasks) % size
            tasks, after = _one_stage(order, asked, free, asked_less)
        placed, free = placed + tasks, after
    return placed


def _one_stage(
    order: list[NodeView], asked: Request, free: dict[int, Resources], most: int | None = None
) -> tuple[list[tuple[int, int, Resources]], dict[int, Resources]]:
    free, tasks = dict(free), []
    for _ in range(asked.count if most is None else most):
        able = [view for view in order if _may(view, asked) and fits(asked.demand, free[view.id])]
        if not able:
            break
        id, devices = able[0].id, choose_devices(asked.demand["gpus"], free[able[0].id]) or NOTHING
        tasks.append((asked.stage, id, devices))
        free[id] -= hold(asked.demand, devices)
    return tasks, free


def _may(view: NodeView, asked: Request) -> bool:
    return view.pool == asked.pool and view.accepting and view.id not in asked.excluded
