"""Reserving: keep nodes free for a request that later, smaller ones would starve.

One reservation per pool. It lasts, over rounds, until some of the request is placed, it goes away, or it
could no longer be met there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from switchyard.scheduling.cluster import BoolArray, Cluster, IntArray
from switchyard.scheduling.placement.request import Request


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes (ids) on which nothing but this stage is placed until it fits; `since` as `now` in `plan`."""

    pool: str
    stage: int
    nodes: tuple[int, ...]
    since: float


def still_valid(cluster: Cluster, reservation: Reservation, request: Request, usable: BoolArray) -> bool:
    """Say whether the request would fit on its reserved nodes were they empty, and may still use them."""
    if any(node not in cluster.positions for node in reservation.nodes):
        return False
    positions = _positions(cluster, reservation)
    fits = cluster.fits_when_empty(request.demand, request.together)[positions]
    return bool(usable[positions].all()) and int(fits.sum()) >= request.together


def choose(cluster: Cluster, request: Request, usable: BoolArray) -> tuple[int, ...]:
    """Choose the nodes (ids) on which the request will fit soonest; none if it could not, were all empty.

    Soonest is where the largest share of what it wants is already free; ties go to the first node.
    """
    fits = cluster.fits_when_empty(request.demand, request.together) * usable
    if int(fits.sum()) < request.together:
        return ()
    (able,) = fits.nonzero()
    order = able[np.argsort(-_free_shares(cluster, request, fits)[able], kind="stable")]
    enough = int(np.searchsorted(np.cumsum(fits[order]), request.together)) + 1
    return tuple(cluster.nodes[position].id for position in order[:enough].tolist())


def closed_to_others(cluster: Cluster, reservation: Reservation) -> BoolArray:
    """Mark the nodes that a reservation closes to all other stages."""
    mask = np.zeros(len(cluster), dtype=np.bool_)
    mask[_positions(cluster, reservation)] = True
    return mask


def _positions(cluster: Cluster, reservation: Reservation) -> list[int]:
    return [cluster.positions[node] for node in reservation.nodes]


def _free_shares(cluster: Cluster, request: Request, fits: IntArray) -> NDArray[np.float64]:
    """Return how much is free of what the members on each node will want, by the scarcest resource."""
    demand = np.fromiter(request.demand.values(), dtype=np.int64, count=len(request.demand))[:, None]
    offered = cluster.usable(request.demand) / (demand * np.maximum(fits, 1))
    shares: NDArray[np.float64] = offered.min(axis=0, initial=1.0)
    return shares
