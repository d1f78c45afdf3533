"""Reserving: keep nodes free for a request that later, smaller ones would starve.

One reservation per pool. It lasts, over rounds, until the request is placed, goes away, or could no longer be met.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scheduling.allocation.request import Request
from scheduling.cluster import BoolArray, Cluster


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes (ids) on which nothing but this stage is placed until it fits. `since` is in the seconds of `now`."""

    pool: str
    stage: int
    nodes: tuple[int, ...]
    since: float


def still_valid(cluster: Cluster, reservation: Reservation, request: Request, usable: BoolArray) -> bool:
    """Say whether the request would fit on the reserved nodes if they were empty. `usable`: who may take it now."""
    if any(node not in cluster.positions for node in reservation.nodes):
        return False
    positions = [cluster.positions[node] for node in reservation.nodes]
    fits = cluster.fits_when_empty(request.demand, members(request))[positions]
    return bool(usable[positions].all()) and int(fits.sum()) >= members(request)


def choose(cluster: Cluster, request: Request, usable: BoolArray) -> tuple[int, ...]:
    """Choose the nodes on which the request will fit soonest, as ids; none if they could not hold it even empty.

    Soonest is where the largest share of what it wants is already free; ties go to the first node.
    """
    wanted = members(request)
    fits = np.where(usable, cluster.fits_when_empty(request.demand, wanted), 0)
    if int(fits.sum()) < wanted:
        return ()
    order = np.argsort(-np.where(fits > 0, _free_share(cluster, request, fits), -1.0), kind="stable")
    enough = int(np.searchsorted(np.cumsum(fits[order]), wanted)) + 1
    return tuple(cluster.nodes[position].id for position in order[:enough].tolist())


def closed_to(cluster: Cluster, reservation: Reservation) -> BoolArray:
    """Mark the nodes that are closed to all but the stage of this reservation."""
    mask = np.zeros(len(cluster), dtype=np.bool_)
    mask[[cluster.positions[node] for node in reservation.nodes]] = True
    return mask


def members(request: Request) -> int:
    """Return how many tasks must be placed together."""
    return request.gang_size or 1


def _free_share(cluster: Cluster, request: Request, fits: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how much of what the node's members want is free, by the scarcest resource."""
    demand = np.fromiter(request.demand.values(), dtype=np.int64, count=len(request.demand))[:, None]
    wanted = demand * np.maximum(fits, 1)
    return np.minimum(cluster.usable(request.demand) / wanted, 1.0).min(axis=0, initial=1.0)
