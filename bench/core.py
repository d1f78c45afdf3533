"""The `core` workload: planning alone, in this process, without a database or a message.

Rows: 100,000 alike tasks on 1,000 nodes; 1,000 different stages on 1,000 nodes, with room and without. The
reference is the same nodes and the same strategy with the tasks placed one by one, for 1,000 tasks.
"""

import json
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from scheduling.cluster import Cluster, NodeView
from scheduling.plan import Plan, Policy, Request, plan
from scheduling.resources import Resources, fits

NODES = 1000
STAGES = 1000
ALIKE = 100_000
ONE_BY_ONE = 1000
REPEATS = 3
TOTAL = Resources(cpus=128_000, mem=512 * 1024)
DEMAND = Resources(cpus=1000, mem=1024)


def run(strategies: tuple[str, ...] = ("bias", "round_robin", "best_fit", "spread")) -> list[dict[str, Any]]:
    """Measure each strategy; a row is the fastest of REPEATS, and its placements are checked."""
    reference = _best(lambda: _one_by_one(_nodes()))
    return [row for strategy in strategies for row in _rows(strategy, reference / ONE_BY_ONE)]


def _rows(strategy: str, reference: float) -> Iterator[dict[str, Any]]:
    policy = Policy(placement=strategy)
    yield _measure("alike", policy, [_request(0, ALIKE)], ALIKE, expected=ALIKE, reference=reference)
    different = [_request(stage, 10, more=stage) for stage in range(STAGES)]
    yield _measure("different", policy, different, STAGES, expected=10 * STAGES)
    huge = [_request(stage, 10, more=TOTAL["cpus"] - 1000 - stage) for stage in range(STAGES)]
    full = [_request(STAGES, NODES * 128, first=True), *huge]
    yield _measure("refused", policy, full, STAGES, expected=NODES * 128)


def _measure(
    what: str,
    policy: Policy,
    requests: list[Request],
    n: int,
    *,
    expected: int,
    reference: float | None = None,
) -> dict[str, Any]:
    seconds = _best(lambda: _planned(policy, requests, expected))
    row = {"workload": "core", "what": what, "strategy": policy.placement, "n": n, "nodes": NODES}
    row |= {"seconds": round(seconds, 6), "per_s": round(n / seconds)}
    if reference:
        row |= {"reference": round(1 / reference), "ratio": round(n / seconds * reference, 1)}
    return row


def _best(work: Callable[[], float]) -> float:
    return min(work() for _ in range(REPEATS))


def _planned(policy: Policy, requests: list[Request], expected: int) -> float:
    """Time a whole round, the reading of the nodes included."""
    nodes = _nodes()
    started = perf_counter()
    done = plan(Cluster(nodes), requests, policy, now=0.0, seed=0)
    seconds = perf_counter() - started
    _check(done, requests, expected)
    return seconds


def _check(done: Plan, requests: list[Request], expected: int) -> None:
    demands = {request.stage: request.demand for request in requests}
    used: dict[int, Resources] = {}
    for placement in done.placements:
        used[placement.node] = used.get(placement.node, Resources()) + demands[placement.stage] * placement.count
    if not all(fits(amounts, TOTAL) for amounts in used.values()):
        raise AssertionError("a node holds more than it has")
    if sum(placement.count for placement in done.placements) != expected:
        raise AssertionError("not all tasks were placed that fit")


def _one_by_one(nodes: list[NodeView]) -> float:
    """Bias without sets: each task goes to the first node, by free cpus, with room for it."""
    started = perf_counter()
    free = [dict(node.free) for node in sorted(nodes, key=lambda node: -node.free["cpus"])]
    for _ in range(ONE_BY_ONE):
        chosen = next(room for room in free if fits(DEMAND, room))
        for name, amount in DEMAND.items():
            chosen[name] -= amount
    return perf_counter() - started


def _nodes() -> list[NodeView]:
    return [NodeView(id=n, name=f"node-{n}", pool="default", total=TOTAL, free=TOTAL) for n in range(NODES)]


def _request(stage: int, count: int, *, more: int = 0, first: bool = False) -> Request:
    return Request(
        stage=stage,
        job=stage,
        pool="default",
        count=count,
        demand=DEMAND + {"cpus": more},
        priority=0 if first else 100,
        submitted=stage,
        waiting_since=0.0,
    )


if __name__ == "__main__":
    for measured in run():
        print(json.dumps(measured))
