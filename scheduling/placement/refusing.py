"""Refusing: work out why nodes that may take a request have no room for it, and which comes nearest."""

from dataclasses import dataclass

import numpy as np

from scheduling.cluster import BoolArray, Cluster, IntArray
from scheduling.placement.eligibility import Eligible
from scheduling.refusals import NearMiss, Reason, Refusal, Why
from scheduling.resources import Resources


def refuse(
    cluster: Cluster, eligible: Eligible, demand: Resources, *, gang_size: int, closed: BoolArray
) -> Refusal:
    """Say why no more of these tasks fit now. `closed` marks the nodes that are reserved for another stage."""
    empty = _Compared.of(demand, cluster.usable(demand, empty=True))
    now = _Compared.of(demand, cluster.usable(demand))
    if _infeasible(cluster, eligible.ever & empty.enough, demand, gang_size):
        reasons = empty.reasons(Why.TOO_SMALL, eligible.now & ~empty.enough)
        gang = _gang(cluster.fits_when_empty(demand, gang_size), eligible.ever, gang_size)
        return Refusal(
            (*eligible.reasons, *reasons, *gang), empty.nearest(cluster, eligible.ever), infeasible=True
        )
    big = eligible.now & empty.enough
    open_ = big & ~closed
    reasons = [
        *empty.reasons(Why.TOO_SMALL, eligible.now & ~empty.enough),
        *_count(Why.RESERVED, big & closed),
        *now.reasons(Why.SHORT, open_ & ~now.enough),
        *_gang(cluster.fits(demand, gang_size), open_, gang_size),
    ]
    return Refusal((*eligible.reasons, *reasons), now.nearest(cluster, open_))


@dataclass(frozen=True, slots=True)
class _Compared:
    """What a task wants beside what each node could give it: a row per resource, a column per node."""

    names: tuple[str, ...]
    wanted: IntArray
    offered: IntArray
    enough: BoolArray

    @classmethod
    def of(cls, demand: Resources, offered: IntArray) -> "_Compared":
        wanted = np.fromiter(demand.values(), dtype=np.int64, count=len(demand))
        return cls(tuple(demand), wanted, offered, (offered >= wanted[:, None]).all(axis=0))

    def reasons(self, why: Why, mask: BoolArray) -> list[Reason]:
        """Count each of these nodes under the resource of which it offers the smallest share."""
        if not mask.any():
            return []
        scarcest = (self.offered[:, mask] / self.wanted[:, None]).argmin(axis=0)
        counts = np.bincount(scarcest, minlength=len(self.names)).tolist()
        return [Reason(why, count, name) for name, count in zip(self.names, counts, strict=True) if count]

    def nearest(self, cluster: Cluster, mask: BoolArray) -> NearMiss | None:
        """Return the node that offers the largest share of all that is wanted; ties go to the first."""
        (lacking,) = (mask & ~self.enough).nonzero()
        if not len(lacking):
            return None
        shares = (self.offered[:, lacking] / self.wanted[:, None]).min(axis=0)
        position = int(lacking[shares.argmax()])
        lacks = np.maximum(self.wanted - self.offered[:, position], 0).tolist()
        node = cluster.nodes[position]
        return NearMiss(node.id, node.name, Resources(zip(self.names, lacks, strict=True)))


def _infeasible(cluster: Cluster, could: BoolArray, demand: Resources, gang_size: int) -> bool:
    if gang_size:
        return int(cluster.fits_when_empty(demand, gang_size)[could].sum()) < gang_size
    return not could.any()


def _gang(fits: IntArray, mask: BoolArray, gang_size: int) -> list[Reason]:
    members = int(fits[mask].sum()) if gang_size else 0
    nodes = int((fits[mask] > 0).sum())
    return [Reason(Why.GANG, nodes, f"{members} of {gang_size}")] if members else []


def _count(why: Why, mask: BoolArray) -> list[Reason]:
    count = int(mask.sum())
    return [Reason(why, count)] if count else []
