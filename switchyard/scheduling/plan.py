"""Planning: from a cluster and the requests of one round to placements, refusals and reservations.

Sets, not tasks: each request is one vectorised step, whatever its count. Nothing is stored or sent here.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from switchyard.scheduling.allocation.reserving import Reservation, choose, closed_to_others, still_valid
from switchyard.scheduling.cluster import BoolArray, Cluster
from switchyard.scheduling.placement import refusing
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.base import STRATEGIES
from switchyard.scheduling.placement.eligibility import Eligibility, Eligible
from switchyard.scheduling.placement.request import Request
from switchyard.scheduling.refusals import Reason, Refusal, Why
from switchyard.scheduling.resources import Resources

__all__ = ["Placement", "Plan", "Policy", "Request", "Reservation", "infeasible", "plan"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The name of a strategy, and after how many seconds of refusal a request reserves room."""

    placement: str = "bias"
    reserve_after: float = 10.0


@dataclass(frozen=True, slots=True)
class Placement:
    """So many tasks of a stage on a node; with GPUs, each of them on exactly these devices."""

    stage: int
    node: int
    count: int
    devices: Resources


@dataclass(frozen=True, slots=True)
class Plan:
    """What one round decided. `refusals` holds, by id, every stage of which tasks that were granted found no place."""

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
    granted: Mapping[int, int] = MappingProxyType({}),
) -> Plan:
    """Place as many tasks as there is room for, pool by pool, and use up the room in `cluster`.

    `reserved` are the reservations of the round before. Of a job in `granted`, at most so many tasks are placed. The result
    depends on nothing but the arguments, and not on the order of the requests.
    """
    eligibility = Eligibility(cluster)
    before = {reservation.pool: reservation for reservation in reserved}
    turns = []
    for pool, wanting in sorted(_by_pool(requests).items()):
        turns.append(_Turn(cluster, eligibility, policy, granted, now=now, seed=seed))
        turns[-1].serve_all(wanting, before.get(pool))
    return Plan(
        placements=tuple(placement for turn in turns for placement in turn.placements),
        refusals={stage: refusal for turn in turns for stage, refusal in turn.refusals.items()},
        reservations=tuple(turn.reservation for turn in turns if turn.reservation),
    )


def infeasible(cluster: Cluster, requests: Iterable[Request]) -> dict[int, Refusal]:
    """Return the stages that no registered node could ever meet, even empty: to say so at submission."""
    eligibility = Eligibility(cluster)
    known: dict[Hashable, Refusal | None] = {}
    found = {}
    for request in requests:
        alike = (request.pool, request.demand, request.gang_size, request.constraints, request.excluded)
        if alike not in known:
            able = eligibility.of(request)
            known[alike] = refusing.infeasible(cluster, able, request.demand, gang_size=request.gang_size)
        if refusal := known[alike]:
            found[request.stage] = refusal
    return found


def _by_pool(requests: Iterable[Request]) -> dict[str, list[Request]]:
    pools = defaultdict(list)
    for request in requests:
        if request.count > 0:
            pools[request.pool].append(request)
    return pools


class _Turn:
    """One pool's turn: serves its requests in order and keeps at most one reservation.

    `_closed` marks the nodes reserved, `_claimed` those for which a request already served still waits.
    """

    def __init__(
        self,
        cluster: Cluster,
        eligibility: Eligibility,
        policy: Policy,
        granted: Mapping[int, int],
        *,
        now: float,
        seed: int,
    ) -> None:
        self.placements: list[Placement] = []
        self.refusals: dict[int, Refusal] = {}
        self.reservation: Reservation | None = None
        self._cluster = cluster
        self._eligibility = eligibility
        self._policy = policy
        self._granted = dict(granted)
        self._now = now
        self._strategy = STRATEGIES[policy.placement](Start(cluster, seed))
        self._nowhere: BoolArray = np.zeros(len(cluster), dtype=np.bool_)
        self._closed = self._claimed = self._nowhere
        self._refused: dict[Hashable, Refusal] = {}

    def serve_all(self, requests: Sequence[Request], reserved: Reservation | None) -> None:
        holder = next((request for request in requests if reserved and request.stage == reserved.stage), None)
        if (
            reserved
            and holder
            and self._count(holder)
            and still_valid(self._cluster, reserved, holder, self._eligibility.of(holder).now)
        ):
            self._reserve(reserved)
        for request in sorted(requests, key=_turn):
            self._serve(request, self._count(request))

    def _count(self, request: Request) -> int:
        """Return how many of the tasks may be placed, of a gang only whole ones."""
        count = min(request.count, self._granted.get(request.job, request.count))
        return count - count % request.together

    def _reserve(self, reservation: Reservation | None) -> None:
        self.reservation = reservation
        self._closed = closed_to_others(self._cluster, reservation) if reservation else self._nowhere
        self._refused.clear()

    def _serve(self, request: Request, count: int) -> None:
        if not count:
            self._refuse_infeasible(request)
            return
        holds = self.reservation is not None and self.reservation.stage == request.stage
        alike = (request.demand, request.gang_size, request.constraints, request.excluded)
        if alike in self._refused and not holds:
            # Room only shrinks during a turn, so who asks for the same again need not be looked at again.
            self.refusals[request.stage] = self._refused[alike]
            return
        eligible = self._eligibility.of(request)
        closed = self._nowhere if holds else self._closed
        placed = self._place(request, count, eligible.now & ~closed)
        if request.job in self._granted:
            self._granted[request.job] -= placed
        if placed and holds:
            self._reserve(None)
        if placed < count:
            self._refuse(request, alike, eligible, closed, starving=not placed and self._long_refused(request))

    def _place(self, request: Request, count: int, usable: BoolArray) -> int:
        """Place what fits of `count`, of a gang only whole ones, and return how many."""
        fits = self._cluster.fits(request.demand, count) * usable
        total = min(count, int(fits.sum()))
        if request.gang_size:
            total -= total % request.gang_size
        if total:
            counts = self._strategy(Ask(request.demand, fits, total))
            for position, part, devices in self._cluster.take(request.demand, counts):
                node = self._cluster.nodes[position].id
                self.placements.append(Placement(request.stage, node, part, devices))
        return total

    def _refuse_infeasible(self, request: Request) -> None:
        """Say of a request that is granted nothing whether it could ever be met."""
        able = self._eligibility.of(request)
        if refusal := refusing.infeasible(self._cluster, able, request.demand, gang_size=request.gang_size):
            self.refusals[request.stage] = refusal

    def _long_refused(self, request: Request) -> bool:
        return self._now - request.waiting_since >= self._policy.reserve_after

    def _refuse(self, request: Request, alike: Hashable, eligible: Eligible, closed: BoolArray, *, starving: bool) -> None:
        """Record why, and reserve room if requests behind would otherwise starve this one.

        Where a request before it still waits, this one merely waits for its turn: that room is not its to
        reserve.
        """
        demand, gang_size = request.demand, request.gang_size
        refusal = refusing.infeasible(self._cluster, eligible, demand, gang_size=gang_size) or refusing.no_room(
            self._cluster, eligible, demand, gang_size=gang_size, closed=closed
        )
        possible = eligible.now & self._cluster.could_hold(demand)
        if starving and not self.reservation:
            nodes = choose(self._cluster, request, possible & ~self._claimed)
            if nodes:
                self._reserve(Reservation(request.pool, request.stage, nodes, self._now))
        self._claimed = self._claimed | possible
        self.refusals[request.stage] = self._refused[alike] = refusal
        if self.reservation and self.reservation.stage == request.stage:
            kept = Reason(Why.RESERVING, len(self.reservation.nodes))
            self.refusals[request.stage] = replace(refusal, reasons=(*refusal.reasons, kept))


def _turn(request: Request) -> tuple[tuple[float, ...], int]:
    return request.turn, request.stage
