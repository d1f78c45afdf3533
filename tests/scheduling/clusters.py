"""Builders of nodes and requests for the tests of planning, and strategies that make random ones."""

from typing import Any

from hypothesis import strategies as st

from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.plan import Placement, Request
from switchyard.scheduling.resources import Resources, hold
from tests.scheduling.one_by_one import fits

CPU = Resources(cpus=1000)


def node(id: int, cpus: int = 4, *, free: dict[str, int] | None = None, **rest: Any) -> NodeView:
    """Build a node with so many whole cpus and other `total` amounts, free but for what `free` says."""
    total = Resources(cpus=cpus * 1000) + rest.pop("total", {})
    values: dict[str, Any] = {"id": id, "name": f"node-{id}", "pool": "default"} | rest
    return NodeView(**values, total=total, free=Resources(dict(total) | (free or {})))


def request(stage: int, count: int = 1, **rest: Any) -> Request:
    """Build a request for tasks of one cpu, submitted in the order of the stage's number."""
    values: dict[str, Any] = {"stage": stage, "job": stage, "pool": "default", "count": count, "demand": CPU}
    turn = rest.pop("priority", 100), rest.pop("submitted", stage), rest.get("job", stage)
    return Request(**values | {"turn": turn, "waiting_since": 0.0} | rest)


def left_over(nodes: list[NodeView], demands: dict[int, Resources], placements: Any) -> dict[int, Resources]:
    """Take every task of the placements from its node, one by one; fail at the first that does not fit."""
    free = {node.id: node.free for node in nodes}
    for placement in placements:
        demand = demands[placement.stage]
        for _ in range(placement.count):
            assert fits(demand, free[placement.node])
            held = hold(demand, placement.devices)
            assert all(free[placement.node][name] >= amount for name, amount in held.items())
            free[placement.node] -= held
    return free


def per_node(placements: Any, stage: int) -> dict[int, int]:
    """Return how many tasks of a stage each node gets."""
    counts: dict[int, int] = {}
    for placement in placements:
        if placement.stage == stage:
            counts[placement.node] = counts.get(placement.node, 0) + placement.count
    return counts


def total(placements: Any, stage: int) -> int:
    """Return how many tasks of a stage are placed."""
    return sum(per_node(placements, stage).values())


def on(stage: int, node: int, count: int, **devices: int) -> Placement:
    """Build a placement."""
    return Placement(stage, node, count, Resources(devices))


@st.composite
def nodes(draw: st.DrawFn, most: int = 6, gpus: bool = True) -> list[NodeView]:
    """Make nodes of two pools, some of them paused, with devices partly in use."""
    return [draw(_node(id, gpus)) for id in range(1, 1 + draw(st.integers(1, most)))]


def demands(gpus: bool = True) -> st.SearchStrategy[Resources]:
    """Make demands that small nodes can meet, or nearly."""
    devices = st.sampled_from([0, 0, 250, 400, 500, 1000, 2000] if gpus else [0])
    return st.builds(
        Resources,
        cpus=st.integers(1, 5).map(lambda n: n * 500),
        mem=st.sampled_from([0, 100, 300, 700]),
        gpus=devices,
        licenses=st.sampled_from([0, 0, 0, 1]),
    )


@st.composite
def requests(draw: st.DrawFn, most: int = 6, gpus: bool = True) -> list[Request]:
    """Make requests for those nodes, among them gangs, and some that shun a node."""
    return [draw(_request(stage, gpus)) for stage in range(1, 1 + draw(st.integers(1, most)))]


@st.composite
def _node(draw: st.DrawFn, id: int, gpus: bool) -> NodeView:
    cpus = draw(st.integers(0, 8))
    devices = draw(st.lists(st.sampled_from([0, 200, 500, 750, 1000]), max_size=4)) if gpus else []
    extra = {"mem": 1000, "licenses": draw(st.integers(0, 2))}
    free = {"cpus": draw(st.integers(-1, cpus)) * 1000, "mem": draw(st.integers(0, 1000))}
    return node(
        id,
        cpus,
        total=extra | {f"gpu{number}": 1000 for number in range(len(devices))},
        free=free | {f"gpu{number}": amount for number, amount in enumerate(devices)},
        pool=draw(st.sampled_from(["default", "default", "other"])),
        unavailable=draw(st.sampled_from([None, None, None, "paused"])),
        slot_cpus=draw(st.sampled_from([1000, 500])),
    )


@st.composite
def _request(draw: st.DrawFn, stage: int, gpus: bool) -> Request:
    gang_size = draw(st.sampled_from([0, 0, 0, 2, 3]))
    return request(
        stage,
        draw(st.integers(1, 4)) * gang_size or draw(st.integers(1, 12)),
        demand=draw(demands(gpus)),
        pool=draw(st.sampled_from(["default", "default", "other", "missing"])),
        priority=draw(st.sampled_from([50, 100])),
        submitted=draw(st.integers(0, 3)),
        waiting_since=draw(st.sampled_from([0.0, 95.0])),
        gang_size=gang_size,
        excluded=draw(st.sampled_from([frozenset(), frozenset(), frozenset({1})])),
    )
