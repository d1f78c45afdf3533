"""The `core` workload: planning alone, in this process, without a database or a message.

Rows: 100,000 alike tasks on 1,000 nodes; 1,000 different stages on 1,000 nodes, with room and without. The
reference is the same nodes and the same strategy with the tasks placed one by one, for 1,000 tasks.
"""

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter

from bench.rows import Measured, Target
from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.plan import Plan, Policy, Request, plan
from switchyard.scheduling.resources import Resources

NODES = 1000
STAGES = 1000
ALIKE = 100_000
ONE_BY_ONE = 1000
#: Tasks that the reference places in the time that a round may take: 0.05 s and 1 s where it places 60,000/s.
AT_ONCE, SOON = 3000, 60_000
REPEATS = 3
TOTAL = Resources(cpus=128_000, mem=512 * 1024)
DEMAND = Resources(cpus=1000, mem=1024)


def run(strategies: tuple[str, ...] = ("bias", "round_robin", "best_fit", "spread")) -> Iterator[Measured]:
    """Measure each strategy; a row is the fastest of REPEATS, and its placements are checked."""
    one_by_one = ONE_BY_ONE / _best(lambda: _one_by_one(_nodes()))
    for strategy in strategies:
        yield from _rows(strategy, one_by_one)


def _rows(strategy: str, one_by_one: float) -> Iterator[Measured]:
    policy = Policy(placement=strategy)
    at_once, soon = (Target("seconds", "at most", bound, as_ratio=True) for bound in (AT_ONCE, SOON))
    yield _measure("alike", policy, [_request(0, ALIKE)], ALIKE, ALIKE, at_once, one_by_one)
    different = [_request(stage, 10, more=stage) for stage in range(STAGES)]
    yield _measure("different", policy, different, STAGES, 10 * STAGES, soon, one_by_one)
    huge = [_request(stage, 10, more=TOTAL["cpus"] - 1000 - stage) for stage in range(STAGES)]
    full = [_request(STAGES, NODES * 128, first=True), *huge]
    yield _measure("refused", policy, full, STAGES, NODES * 128, soon, one_by_one)


def _measure(
    what: str,
    policy: Policy,
    requests: list[Request],
    n: int,
    expected: int,
    target: Target,
    reference: float,
) -> Measured:
    seconds = _best(lambda: _planned(policy, requests, expected))
    figures: dict[str, float | str] = {"what": what, "strategy": policy.placement, "nodes": NODES}
    return Measured(n, seconds, (target,), figures, reference=reference)


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
    if not all(_fits(amounts, TOTAL) for amounts in used.values()):
        raise AssertionError("a node holds more than it has")
    if sum(placement.count for placement in done.placements) != expected:
        raise AssertionError("not all tasks were placed that fit")


def _one_by_one(nodes: list[NodeView]) -> float:
    """Bias without sets: each task goes to the first node, by free cpus, with room for it."""
    started = perf_counter()
    free = [dict(node.free) for node in sorted(nodes, key=lambda node: -node.free["cpus"])]
    for _ in range(ONE_BY_ONE):
        chosen = next(room for room in free if _fits(DEMAND, room))
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
        waiting_since=0.0,
        turn=(0 if first else 100, stage),
    )


def _fits(demand: Mapping[str, int], free: Mapping[str, int]) -> bool:
    return all(free.get(name, 0) >= amount for name, amount in demand.items())
