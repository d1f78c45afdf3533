"""Refusing: work out why nodes that may take a request have no room for it, and which comes nearest."""

import numpy as np

from switchyard.scheduling.cluster import BoolArray, Cluster, IntArray
from switchyard.scheduling.placement.eligibility import Eligible
from switchyard.scheduling.refusals import NearMiss, Reason, Refusal, Why
from switchyard.scheduling.resources import Resources


def infeasible(cluster: Cluster, eligible: Eligible, demand: Resources, gang_size: int) -> Refusal | None:
    """Return why no registered node could ever meet this, even empty and resumed; None if one could."""
    could = cluster.could_hold(demand) & eligible.ever
    if could.any() and not gang_size:
        return None
    fits = cluster.fits_when_empty(demand, gang_size) * could
    if gang_size and int(fits.sum()) >= gang_size:
        return None
    offers = _Offers(demand, cluster.usable(demand, empty=True))
    small = offers.scarcest(Why.TOO_SMALL, eligible.now & ~could)
    reasons = (*eligible.reasons, *small, *_gang(fits, gang_size))
    return Refusal(reasons, offers.nearest(cluster, eligible.ever & ~could), infeasible=True)


def no_room(cluster: Cluster, eligible: Eligible, demand: Resources, gang_size: int, closed: BoolArray) -> Refusal:
    """Return why no more of these tasks fit now. `closed` marks the nodes reserved for another stage."""
    could = cluster.could_hold(demand)
    empty, now = _Offers(demand, cluster.usable(demand, empty=True)), _Offers(demand, cluster.usable(demand))
    open_ = eligible.now & could & ~closed
    reasons = (
        *eligible.reasons,
        *empty.scarcest(Why.TOO_SMALL, eligible.now & ~could),
        *_count(Why.RESERVED, eligible.now & could & closed),
        *now.scarcest(Why.SHORT, open_ & now.lacking),
        *(_gang(cluster.fits(demand, gang_size) * open_, gang_size) if gang_size else ()),
    )
    return Refusal(reasons, now.nearest(cluster, open_ & now.lacking))


class _Offers:
    """What each node offers one task beside what it wants: a row per resource, a column per node."""

    def __init__(self, demand: Resources, offered: IntArray) -> None:
        self._names = tuple(demand)
        self._wanted = np.fromiter(demand.values(), dtype=np.int64, count=len(demand))
        self._offered = offered
        self._shares = offered / self._wanted[:, None]
        self._least = self._shares.min(axis=0, initial=np.inf)
        self.lacking: BoolArray = self._least < 1

    def scarcest(self, why: Why, mask: BoolArray) -> list[Reason]:
        """Count each of these nodes under the resource of which it offers the smallest share."""
        if not mask.any():
            return []
        counts = np.bincount(self._shares.argmin(axis=0)[mask], minlength=len(self._names)).tolist()
        return [Reason(why, count, name) for name, count in zip(self._names, counts, strict=True) if count]

    def nearest(self, cluster: Cluster, mask: BoolArray) -> NearMiss | None:
        """Return the node that offers the largest share of all that is wanted; ties go to the first."""
        if not mask.any():
            return None
        position = int(np.where(mask, self._least, -np.inf).argmax())
        lacks = np.maximum(self._wanted - self._offered[:, position], 0).tolist()
        node = cluster.nodes[position]
        return NearMiss(node.id, node.name, Resources(zip(self._names, lacks, strict=True)))


def _gang(fits: IntArray, gang_size: int) -> list[Reason]:
    members, nodes = int(fits.sum()), int((fits > 0).sum())
    return [Reason(Why.GANG, nodes, f"{members} of {gang_size}")] if members else []


def _count(why: Why, mask: BoolArray) -> list[Reason]:
    count = int(mask.sum())
    return [Reason(why, count)] if count else []
