"""Planning: from a cluster and the requests of one round to placements, refusals and reservations.

Sets, not tasks: each request is one vectorised step, whatever its count. Nothing is stored or sent here.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scheduling.allocation import reserving
from scheduling.allocation.base import ALGORITHMS
from scheduling.allocation.request import Request
from scheduling.allocation.reserving import Reservation
from scheduling.cluster import BoolArray, Cluster, IntArray
from scheduling.placement.base import STRATEGIES, Strategy
from scheduling.placement.eligibility import Eligibility, Eligible
from scheduling.placement.refusing import refuse
from scheduling.refusals import Reason, Refusal, Why
from scheduling.resources import Resources

__all__ = ["Placement", "Plan", "Policy", "Request", "Reservation", "plan"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Names of the algorithm and the strategy, and after how many seconds of refusals a request reserves room."""

    allocation: str = "fifo"
    placement: str = "bias"
    reserve_after: float = 10.0


@dataclass(frozen=True, slots=True)
class Placement:
    """So many tasks of a stage on a node; with GPUs, each task on exactly these devices (`gpu0` → thousandths)."""

    stage: int
    node: int
    count: int
    devices: Resources


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round decided. `refusals` holds every stage, by id, of which some tasks found no place."""

    placements: tuple[Placement, ...]
    refusals: Mapping[int, Refusal]
    reservations: tuple[Reservation, ...]


def plan(
    cluster: Cluster,
    requests: Iterable[Request],
    policy: Policy,
    *,
    now: float,
    seed: int,
    reserved: Sequence[Reservation] = (),
) -> Plan:
    """Place as many tasks as there is room for, pool by pool, and use up the room in `cluster`.

    `reserved` are the reservations of the round before. The result depends on nothing but the arguments, and not on
    the order of the requests.
    """
    eligibility = Eligibility(cluster)
    before = {reservation.pool: reservation for reservation in reserved}
    rounds = [
        _PoolRound(cluster, eligibility, policy, now, seed).run(wanting, before.get(pool))
        for pool, wanting in sorted(_by_pool(requests).items())
    ]
    return Plan(
        placements=tuple(placement for done in rounds for placement in done.placements),
        refusals={stage: refusal for done in rounds for stage, refusal in done.refusals.items()},
        reservations=tuple(done.reservation for done in rounds if done.reservation),
    )


def _by_pool(requests: Iterable[Request]) -> dict[str, list[Request]]:
    pools = defaultdict(list)
    for request in requests:
        if request.count > 0:
            pools[request.pool].append(request)
    return pools


class _PoolRound:
    """The turn of one pool: serves its requests in order, and keeps at most one reservation."""

    __slots__ = (
        "placements",
        "refusals",
        "reservation",
        "_cluster",
        "_eligibility",
        "_policy",
        "_now",
        "_strategy",
        "_closed",
        "_claimed",
        "_refused",
    )

    def __init__(
        self, cluster: Cluster, eligibility: Eligibility, policy: Policy, now: float, seed: int
    ) -> None:
        self.placements: list[Placement] = []
        self.refusals: dict[int, Refusal] = {}
        self.reservation: Reservation | None = None
        self._cluster = cluster
        self._eligibility = eligibility
        self._policy = policy
        self._now = now
        self._strategy: Strategy = STRATEGIES[policy.placement](cluster, seed)
        self._closed: BoolArray = np.zeros(len(cluster), dtype=np.bool_)
        self._claimed: BoolArray = np.zeros(len(cluster), dtype=np.bool_)
        self._refused: dict[Hashable, Refusal] = {}

    def run(self, requests: Sequence[Request], reserved: Reservation | None) -> "_PoolRound":
        if reserved:
            self._keep(reserved, requests)
        for allowance in ALGORITHMS[self._policy.allocation](requests):
            self._serve(allowance.request, allowance.count)
        return self

    def _keep(self, reserved: Reservation, requests: Sequence[Request]) -> None:
        for request in requests:
            usable = self._eligible(request).now
            if request.stage == reserved.stage and reserving.still_valid(
                self._cluster, reserved, request, usable
            ):
                self._reserve(reserved)

    def _reserve(self, reservation: Reservation) -> None:
        self.reservation = reservation
        self._closed = reserving.closed_to(self._cluster, reservation)
        self._refused.clear()

    def _serve(self, request: Request, count: int) -> None:
        alike = (request.demand, request.gang_size, request.constraints, request.excluded)
        own = self.reservation is not None and self.reservation.stage == request.stage
        if alike in self._refused and not own:
            self.refusals[request.stage] = self._refused[alike]
            return
        eligible = self._eligible(request)
        closed = np.zeros_like(self._closed) if own else self._closed
        placed = self._place(request, count, eligible.now & ~closed)
        if placed and own:
            self.reservation, self._closed = None, np.zeros_like(self._closed)
        if placed < count:
            self._refuse(request, eligible, closed, placed=placed, own=own)
            if not own:
                self._refused[alike] = self.refusals[request.stage]

    def _eligible(self, request: Request) -> Eligible:
        return self._eligibility.of(request.pool, request.constraints, request.excluded)

    def _place(self, request: Request, count: int, usable: BoolArray) -> int:
        fits: IntArray = self._cluster.fits(request.demand, count) * usable
        total = min(count, int(fits.sum()))
        if request.gang_size:
            total -= total % request.gang_size
        if total:
            counts = self._strategy(request.demand, fits, total)
            for position, part, devices in self._cluster.take(request.demand, counts):
                self.placements.append(
                    Placement(request.stage, self._cluster.nodes[position].id, part, devices)
                )
        return total

    def _refuse(
        self, request: Request, eligible: Eligible, closed: BoolArray, *, placed: int, own: bool
    ) -> None:
        """Record why, and reserve room if later requests would otherwise starve this one.

        Nodes that an earlier request still waits for are claimed by it: room there is not this one's to reserve.
        """
        demand = request.demand
        refusal = refuse(self._cluster, eligible, demand, gang_size=request.gang_size, closed=closed)
        possible = eligible.now & (self._cluster.fits_when_empty(demand, 1) > 0)
        starving = not placed and self._now - request.waiting_since >= self._policy.reserve_after
        if starving and not self.reservation:
            nodes = reserving.choose(self._cluster, request, possible & ~self._claimed)
            if nodes:
                self._reserve(Reservation(request.pool, request.stage, nodes, self._now))
                own = True
        self._claimed |= possible
        if own and self.reservation:
            refusal = replace(
                refusal, reasons=(*refusal.reasons, Reason(Why.RESERVING, len(self.reservation.nodes)))
            )
        self.refusals[request.stage] = refusal
