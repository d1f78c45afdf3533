"""Refusals: who may not take a request, who has no room for it, and how people are told."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.placement.eligibility import Eligibility
from switchyard.scheduling.plan import Policy, Request, Reservation, infeasible, plan
from switchyard.scheduling.refusals import NearMiss, Reason, Refusal, Why, sentences
from switchyard.scheduling.resources import Resources
from switchyard.scheduling.spec.types import Constraint, Op
from tests.scheduling.clusters import CPU, demands, node, nodes, request, requests
from tests.scheduling.one_by_one import fits

few = settings(max_examples=40)


def test_empty_pool_is_named() -> None:
    refusal = _refusal([node(1)], request(1, pool="gpu"))
    assert refusal == Refusal((Reason(Why.POOL_EMPTY, 0, "gpu"),), None, infeasible=True)


def test_nodes_are_counted_under_the_first_reason_that_applies() -> None:
    views = [
        node(1, labels={"zone": "b"}, unavailable="paused"),
        node(2, labels={"zone": "a"}, unavailable="paused"),
        node(3, labels={"zone": "a"}, unavailable="draining"),
        node(4, labels={"zone": "a"}),
        node(5, 1, labels={"zone": "a"}),
        node(6, 8, labels={"zone": "a"}, free={"cpus": 1000}),
    ]
    wanted = request(1, demand=CPU * 2, constraints=(Constraint("zone", Op.EQ, ("a",)),), excluded=frozenset({4, 99}))
    assert _refusal(views, wanted).reasons == (
        Reason(Why.LABELS, 1, "zone = a"),
        Reason(Why.EXCLUDED, 1),
        Reason(Why.UNAVAILABLE, 1, "draining"),
        Reason(Why.UNAVAILABLE, 1, "paused"),
        Reason(Why.TOO_SMALL, 1, "cpus"),
        Reason(Why.SHORT, 1, "cpus"),
    )


def test_each_constraint_is_worded_by_what_it_compares() -> None:
    constraints = (
        Constraint("disk", Op.EXISTS),
        Constraint("zone", Op.IN, ("a", "b")),
        Constraint("arch", Op.NE, ("arm",)),
    )
    views = [
        node(1),
        node(2, labels={"disk": "ssd"}),
        node(3, labels={"disk": "ssd", "zone": "a", "arch": "arm"}),
    ]
    details = [reason.detail for reason in _refusal(views, request(1, constraints=constraints)).reasons]
    assert details == ["disk present", "zone in a, b", "arch ≠ arm"]


def test_node_is_short_of_the_resource_of_which_it_has_the_smallest_share() -> None:
    views = [node(1, 8, total={"mem": 8000}, free={"cpus": 1000, "mem": 300})]
    refusal = _refusal(views, request(1, demand=Resources(cpus=2000, mem=1000)))
    assert refusal.reasons == (Reason(Why.SHORT, 1, "mem"),)
    assert refusal.nearest == NearMiss(1, "node-1", Resources(cpus=1000, mem=700))


def test_reserved_node_that_is_too_small_anyway_is_counted_once() -> None:
    before = Reservation("default", 1, (1,), since=0)
    wanted = [request(1, demand=CPU * 4), request(2, demand=CPU * 6)]
    views = [node(1, 4, free={"cpus": 0}), node(2, 8, free={"cpus": 0})]
    done = plan(Cluster(views), wanted, Policy(), now=0, seed=0, reserved=[before])
    assert done.refusals[2].reasons == (Reason(Why.TOO_SMALL, 1, "cpus"), Reason(Why.SHORT, 1, "cpus"))


def test_nearest_miss_is_the_node_with_the_largest_share_of_what_is_wanted() -> None:
    views = [
        node(1, 8, free={"cpus": 1000}),
        node(2, 8, free={"cpus": 3500}),
        node(3, 8, free={"cpus": 2000}),
    ]
    assert _refusal(views, request(1, demand=CPU * 4)).nearest == NearMiss(2, "node-2", Resources(cpus=500))


def test_request_larger_than_any_node_is_infeasible() -> None:
    refusal = _refusal([node(1, 4), node(2, 6, free={"cpus": 0})], request(1, demand=CPU * 8))
    assert refusal.infeasible
    assert refusal.nearest == NearMiss(2, "node-2", Resources(cpus=2000))


def test_request_that_only_a_paused_or_shunned_node_can_meet_is_feasible() -> None:
    assert not _refusal([node(1, 8, unavailable="paused")], request(1, demand=CPU * 8)).infeasible
    assert not _refusal([node(1, 8)], request(1, demand=CPU * 8, excluded=frozenset({1}))).infeasible


def test_labels_that_no_node_has_are_infeasible() -> None:
    refusal = _refusal([node(1)], request(1, constraints=(Constraint("zone", Op.EQ, ("x",)),)))
    assert refusal == Refusal((Reason(Why.LABELS, 1, "zone = x"),), None, infeasible=True)


def test_gang_says_for_how_many_members_there_is_room() -> None:
    refusal = _refusal([node(1, 8, free={"cpus": 3000}), node(2, 8, free={"cpus": 0})], request(1, 8, gang_size=8))
    assert refusal.reasons == (Reason(Why.SHORT, 1, "cpus"), Reason(Why.GANG, 1, "3 of 8"))
    assert not refusal.infeasible


def test_gang_larger_than_the_whole_pool_is_infeasible() -> None:
    refusal = _refusal([node(1, 3), node(2, 2)], request(1, 6, gang_size=6))
    assert refusal == Refusal((Reason(Why.GANG, 2, "5 of 6"),), None, infeasible=True)


def test_submission_learns_at_once_what_can_never_be_met() -> None:
    cluster = Cluster([node(1, 4, free={"cpus": 0}, unavailable="paused")])
    wanted = [request(1, demand=CPU * 4), request(2, demand=CPU * 5)]
    assert list(infeasible(cluster, wanted)) == [2]


def test_people_read_the_verdict_then_the_reasons_by_weight_then_the_nearest_miss() -> None:
    refusal = Refusal(
        (Reason(Why.UNAVAILABLE, 1, "draining"), Reason(Why.TOO_SMALL, 1200, "cpus")),
        NearMiss(7, "big-7", Resources(cpus=2500, mem=4096)),
        infeasible=True,
    )
    assert sentences(refusal) == [
        "Infeasible: no registered node could ever run this, even when empty.",
        "1,200 nodes are too small: not enough cpus even when empty.",
        "1 node is draining.",
        "Nearest is big-7, which lacks 2.5 cpus, 4 GiB memory.",
    ]


@given(st.sampled_from(Why), st.integers(0, 2000), st.text(max_size=5))
def test_every_reason_has_a_sentence(why: Why, count: int, detail: str) -> None:
    (said,) = sentences(Refusal((Reason(why, count, detail),)))
    assert said.endswith(".")


@few
@given(nodes(), requests())
def test_refusals_survive_their_stored_form(views: list[NodeView], wanted: list[Request]) -> None:
    for refusal in plan(Cluster(views), wanted, Policy(), now=100, seed=0).refusals.values():
        assert Refusal.from_dict(json.loads(json.dumps(refusal.to_dict()))) == refusal


@few
@given(nodes(), demands())
def test_every_node_of_the_pool_is_counted_once(views: list[NodeView], demand: Resources) -> None:
    wanted = request(1, 1000, demand=demand)
    refusal = plan(Cluster(views), [wanted], Policy(), now=0, seed=0).refusals[1]
    pool = [view for view in views if view.pool == "default"]
    assert sum(reason.nodes for reason in refusal.reasons) == len(pool)


@few
@given(nodes(), requests())
def test_infeasible_means_that_no_node_could_meet_it_even_empty(views: list[NodeView], wanted: list[Request]) -> None:
    found = infeasible(Cluster(views), wanted)
    for asked in wanted:
        pool = [view for view in views if view.pool == asked.pool]
        assert (asked.stage in found) == (_most_when_empty(pool, asked) < max(1, asked.gang_size))


@few
@given(nodes(), requests())
def test_who_may_take_a_request_is_decided_by_pool_state_and_exclusion(views: list[NodeView], wanted: list[Request]) -> None:
    eligibility = Eligibility(Cluster(views))
    for asked in wanted:
        assert eligibility.of(asked).now.tolist() == [
            view.pool == asked.pool and view.accepting and view.id not in asked.excluded for view in views
        ]


def _refusal(views: list[NodeView], wanted: Request) -> Refusal:
    return plan(Cluster(views), [wanted], Policy(), now=0, seed=0).refusals[wanted.stage]


def _most_when_empty(pool: list[NodeView], asked: Request) -> int:
    if not asked.gang_size:
        return sum(fits(asked.demand, view.total) for view in pool)
    return int(Cluster(pool).fits_when_empty(asked.demand, asked.gang_size).sum())
