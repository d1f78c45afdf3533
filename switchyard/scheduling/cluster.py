"""The cluster as one round of planning sees it: views of nodes, and a numpy working copy of what is free.

A Cluster lives for one round and is changed by it (`take`); the views it was built from never change. Arrays
are indexed by position in `nodes`. Who may use which node is not decided here (see placement.eligibility).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from switchyard.scheduling.resources import (
    CPUS,
    GPUS,
    NOTHING,
    WHOLE,
    Resources,
    device_number,
    devices_in,
    devices_wanted,
    is_device,
)

IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Share: TypeAlias = tuple[int, int, Resources]

NO_DEVICE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node, frozen for a round. `unavailable` says in a word why it takes no work, as `paused`."""

    id: int
    name: str
    pool: str
    total: Resources
    free: Resources
    labels: Mapping[str, str] = field(default_factory=dict)
    unavailable: str | None = None
    slot_cpus: int = 1000

    @property
    def accepting(self) -> bool:
        return self.unavailable is None


class Cluster:
    """What each node has free during one round: a row per resource, a column per node.

    The row of `gpus` is the sum over a node's devices; the devices themselves are a matrix, nodes by devices.
    """

    def __init__(self, nodes: Sequence[NodeView]) -> None:
        self.nodes = tuple(nodes)
        self.positions = {node.id: position for position, node in enumerate(self.nodes)}
        names = sorted({name for node in self.nodes for name in node.total if not is_device(name)} | {GPUS})
        self._rows = {name: row for row, name in enumerate(names)}
        self._total = _amounts([node.total for node in self.nodes], names)
        self._free = _amounts([node.free for node in self.nodes], names)
        self._nothing = np.zeros(len(self), dtype=np.int64)
        self._add_devices()
        self._could_hold: dict[Resources, BoolArray] = {}

    def __len__(self) -> int:
        return len(self.nodes)

    def fits(self, demand: Resources, limit: int) -> IntArray:
        """Count how many tasks of this demand, at most `limit`, fit on each node now."""
        return self._fits(demand, limit, self._free, self._devices)

    def fits_when_empty(self, demand: Resources, limit: int) -> IntArray:
        """Count how many would fit on each node if nothing else ran there."""
        return self._fits(demand, limit, self._total, self._idle_devices)

    def could_hold(self, demand: Resources) -> BoolArray:
        """Mark the nodes on which one task of this demand would fit if nothing else ran there."""
        if demand not in self._could_hold:
            self._could_hold[demand] = self.fits_when_empty(demand, 1) > 0
        return self._could_hold[demand]

    def usable(self, demand: Resources, *, empty: bool = False) -> IntArray:
        """Return how much of what it demands one task could use: a row per name of the demand, in its order.

        Of `gpus` that is the emptiest device for a fraction, and the wholly free devices for whole ones.
        """
        amounts, devices = (self._total, self._idle_devices) if empty else (self._free, self._devices)
        found = np.empty((len(demand), len(self)), dtype=np.int64)
        for row, (name, amount) in enumerate(demand.items()):
            found[row] = _usable_gpus(devices, amount) if name == GPUS else self._row(amounts, name)
        return found

    def take(self, demand: Resources, counts: IntArray) -> list[Share]:
        """Take room for `counts` tasks per node; return (position, count, devices) per set of devices."""
        (chosen,) = counts.nonzero()
        if not len(chosen):
            return []
        given, gpus = counts[chosen], demand[GPUS]
        for name, amount in demand.items():
            self._free[self._rows[name], chosen] -= given * (amount if name != GPUS else _occupied(gpus))
        if not gpus:
            pairs = zip(chosen.tolist(), given.tolist(), strict=True)
            return [(position, count, NOTHING) for position, count in pairs]
        return self._take_fractions(gpus, chosen, given) if gpus < WHOLE else self._take_whole(gpus, chosen, given)

    def free_slots(self) -> IntArray:
        """Return each node's free cpus counted in its own slots."""
        sizes = np.array([node.slot_cpus for node in self.nodes], dtype=np.int64)
        slots: IntArray = self._row(self._free, CPUS) // sizes
        return np.maximum(slots, 0)

    def free_shares(self, positions: IntArray) -> NDArray[np.float64]:
        """Return the free share (0 to 1) of every resource on these nodes: a row each; 0 of nothing is 0."""
        total = self._total[:, positions]
        shares = np.zeros(total.shape)
        np.divide(self._free[:, positions], total, out=shares, where=total > 0)
        return shares

    def held(self, demand: Resources, positions: IntArray) -> tuple[IntArray, IntArray]:
        """Return what is held on these nodes, and their totals: a row per name of the demand."""
        rows = [self._rows[name] for name in demand]
        total = self._total[rows][:, positions]
        return total - self._free[rows][:, positions], total

    def _row(self, amounts: IntArray, name: str) -> IntArray:
        row: IntArray = amounts[self._rows[name]] if name in self._rows else self._nothing
        return row

    def _fits(self, demand: Resources, limit: int, amounts: IntArray, devices: IntArray) -> IntArray:
        counts = np.full(len(self), limit, dtype=np.int64)
        for name, amount in demand.items():
            room = _device_fits(devices, amount) if name == GPUS else self._row(amounts, name) // amount
            np.minimum(counts, room, out=counts)
        return np.maximum(counts, 0, out=counts)

    def _add_devices(self) -> None:
        named = [(position, name) for position, node in enumerate(self.nodes) for name in devices_in(node.total)]
        width = 1 + max((device_number(name) for _, name in named), default=-1)
        self._devices = np.full((len(self), width), NO_DEVICE, dtype=np.int64)
        for position, name in named:
            self._devices[position, device_number(name)] = max(0, self.nodes[position].free[name])
        self._idle_devices = np.where(self._devices == NO_DEVICE, NO_DEVICE, WHOLE)
        self._total[self._rows[GPUS]] = np.maximum(self._idle_devices, 0).sum(axis=1)
        self._free[self._rows[GPUS]] = np.maximum(self._devices, 0).sum(axis=1)

    def _take_fractions(self, gpus: int, chosen: IntArray, given: IntArray) -> list[Share]:
        """Fill the fullest device that fits first: for alike fractions that is best fit, one by one."""
        devices = self._devices[chosen]
        order = np.argsort(devices, axis=1, kind="stable")
        room = np.maximum(np.take_along_axis(devices, order, axis=1) // gpus, 0)
        before = np.cumsum(room, axis=1) - room
        taken = np.zeros_like(devices)
        np.put_along_axis(taken, order, np.clip(given[:, None] - before, 0, room), axis=1)
        self._devices[chosen] -= taken * gpus
        rows, numbers = taken.nonzero()
        parts = zip(chosen[rows].tolist(), taken[rows, numbers].tolist(), numbers.tolist(), strict=True)
        return [(position, count, Resources({f"gpu{number}": gpus})) for position, count, number in parts]

    def _take_whole(self, gpus: int, chosen: IntArray, given: IntArray) -> list[Share]:
        taken = []
        for position, count in zip(chosen.tolist(), given.tolist(), strict=True):
            numbers = (self._devices[position] >= WHOLE).nonzero()[0][: count * devices_wanted(gpus)]
            self._devices[position, numbers] = 0
            for group in numbers.reshape(count, -1).tolist():
                taken.append((position, 1, Resources({f"gpu{number}": WHOLE for number in group})))
        return taken


def _amounts(of_nodes: Iterable[Resources], names: Sequence[str]) -> IntArray:
    table = [[amounts[name] for name in names] for amounts in of_nodes]
    return np.array(table, dtype=np.int64).reshape(len(table), len(names)).T.copy()


def _occupied(gpus: int) -> int:
    return gpus if gpus < WHOLE else devices_wanted(gpus) * WHOLE


def _device_fits(devices: IntArray, gpus: int) -> IntArray:
    if gpus >= WHOLE:
        return np.floor_divide(_wholly_free(devices), devices_wanted(gpus))
    fits: IntArray = np.maximum(devices // gpus, 0).sum(axis=1)
    return fits


def _usable_gpus(devices: IntArray, gpus: int) -> IntArray:
    usable: IntArray = devices.max(axis=1, initial=0) if gpus < WHOLE else _wholly_free(devices) * WHOLE
    return usable


def _wholly_free(devices: IntArray) -> IntArray:
    free: IntArray = (devices >= WHOLE).sum(axis=1, dtype=np.int64)
    return free
