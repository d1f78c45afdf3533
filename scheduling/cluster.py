"""The cluster as one round of planning sees it: views of nodes, and a numpy working copy of what they have free.

A Cluster lives for one round and is changed by it (`take`); the views it was built from never change. Arrays are
indexed by position in `nodes`. Who may use which node is not decided here (see placement.eligibility).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from scheduling.resources import (
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

NO_DEVICE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node, frozen for a round. `unavailable` says in one word why it takes no work (paused, draining, silent)."""

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
    """What each node has free during one round: one row per resource, one column per node.

    The row of `gpus` is the sum over a node's devices; the devices themselves are a matrix nodes × devices.
    """

    __slots__ = ("nodes", "positions", "_devices", "_free", "_has_device", "_rows", "_total")

    def __init__(self, nodes: Sequence[NodeView]) -> None:
        self.nodes = tuple(nodes)
        self.positions = {node.id: position for position, node in enumerate(self.nodes)}
        names = sorted({name for node in self.nodes for name in node.total if not is_device(name)} | {GPUS})
        self._rows = {name: row for row, name in enumerate(names)}
        self._total = _amounts([node.total for node in self.nodes], names)
        self._free = _amounts([node.free for node in self.nodes], names)
        self._add_devices()

    def __len__(self) -> int:
        return len(self.nodes)

    def fits(self, demand: Resources, limit: int) -> IntArray:
        """Count how many tasks of this demand, at most `limit`, fit on each node now."""
        return self._fits(demand, limit, self._free, self._devices)

    def fits_when_empty(self, demand: Resources, limit: int) -> IntArray:
        """Count how many would fit on each node if nothing else ran there."""
        return self._fits(demand, limit, self._total, np.where(self._has_device, WHOLE, NO_DEVICE))

    def usable(self, demand: Resources, *, empty: bool = False) -> IntArray:
        """Return how much of each demanded resource one task could use: a row per name of the demand, in its order.

        Of `gpus` that is the emptiest device for a fraction, and the wholly free devices for whole ones.
        """
        amounts = self._total if empty else self._free
        devices = np.where(self._has_device, WHOLE, NO_DEVICE) if empty else self._devices
        rows = [
            _usable_gpus(devices, d) if name == GPUS else self._row(amounts, name)
            for name, d in demand.items()
        ]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self))

    def take(self, demand: Resources, counts: IntArray) -> list[tuple[int, int, Resources]]:
        """Take room for `counts` tasks on each node; return (position, count, devices), one per set of devices."""
        (chosen,) = counts.nonzero()
        given = counts[chosen]
        for name, amount in demand.items():
            self._free[self._rows[name], chosen] -= given * amount
        positions = chosen.tolist()
        if not demand[GPUS]:
            return [
                (position, count, NOTHING) for position, count in zip(positions, given.tolist(), strict=True)
            ]
        if demand[GPUS] < WHOLE:
            return self._take_fractions(demand[GPUS], chosen, given)
        return self._take_whole(devices_wanted(demand[GPUS]), chosen, given)

    def free_slots(self) -> IntArray:
        """Return each node's free cpus counted in its own slots."""
        sizes = np.array([node.slot_cpus for node in self.nodes], dtype=np.int64)
        return np.maximum(self._row(self._free, CPUS) // sizes, 0)

    def free_shares(self) -> NDArray[np.float64]:
        """Return each node's free share (0 to 1) of each resource: a row per resource, 0 where the node has none."""
        shares = np.zeros(self._total.shape)
        np.divide(self._free, self._total, out=shares, where=self._total > 0)
        return shares

    def held(self, name: str) -> tuple[IntArray, IntArray]:
        """Return what is held of one resource on each node, and the totals."""
        total = self._row(self._total, name)
        return total - self._row(self._free, name), total

    def _row(self, amounts: IntArray, name: str) -> IntArray:
        row = self._rows.get(name)
        return np.zeros(len(self), dtype=np.int64) if row is None else amounts[row]

    def _fits(self, demand: Resources, limit: int, amounts: IntArray, devices: IntArray) -> IntArray:
        counts = np.full(len(self), limit, dtype=np.int64)
        for name, amount in demand.items():
            room = _device_fits(devices, amount) if name == GPUS else self._row(amounts, name) // amount
            np.minimum(counts, room, out=counts)
        return np.maximum(counts, 0, out=counts)

    def _add_devices(self) -> None:
        count = 1 + max(
            (device_number(name) for node in self.nodes for name in devices_in(node.total)), default=-1
        )
        self._devices = np.full((len(self), count), NO_DEVICE, dtype=np.int64)
        for position, node in enumerate(self.nodes):
            for name in devices_in(node.total):
                self._devices[position, device_number(name)] = max(0, node.free[name])
        self._has_device = self._devices != NO_DEVICE
        self._total[self._rows[GPUS]] = self._has_device.sum(axis=1) * WHOLE
        self._free[self._rows[GPUS]] = np.maximum(self._devices, 0).sum(axis=1)

    def _take_fractions(
        self, gpus: int, chosen: IntArray, given: IntArray
    ) -> list[tuple[int, int, Resources]]:
        """Fill the fullest device that fits first: for alike fractions that is best fit, one by one."""
        devices = self._devices[chosen]
        order = np.argsort(devices, axis=1, kind="stable")
        room = np.maximum(np.take_along_axis(devices, order, axis=1) // gpus, 0)
        before = np.cumsum(room, axis=1) - room
        parts = np.clip(given[:, None] - before, 0, room)
        taken = np.zeros_like(devices)
        np.put_along_axis(taken, order, parts, axis=1)
        self._devices[chosen] -= taken * gpus
        rows, numbers = taken.nonzero()
        counts = taken[rows, numbers].tolist()
        return [
            (position, count, Resources({f"gpu{number}": gpus}))
            for position, count, number in zip(chosen[rows].tolist(), counts, numbers.tolist(), strict=True)
        ]

    def _take_whole(self, width: int, chosen: IntArray, given: IntArray) -> list[tuple[int, int, Resources]]:
        taken = []
        for position, count in zip(chosen.tolist(), given.tolist(), strict=True):
            numbers = (self._devices[position] >= WHOLE).nonzero()[0][: count * width]
            self._devices[position, numbers] = 0
            for group in numbers.reshape(count, width).tolist():
                taken.append((position, 1, Resources({f"gpu{number}": WHOLE for number in group})))
        return taken


def _amounts(of_nodes: Iterable[Resources], names: Sequence[str]) -> IntArray:
    table = [[amounts[name] for name in names] for amounts in of_nodes]
    return np.array(table, dtype=np.int64).reshape(len(table), len(names)).T.copy()


def _device_fits(devices: IntArray, gpus: int) -> IntArray:
    if gpus < WHOLE:
        return np.maximum(devices // gpus, 0).sum(axis=1, dtype=np.int64)
    return (devices >= WHOLE).sum(axis=1, dtype=np.int64) // devices_wanted(gpus)


def _usable_gpus(devices: IntArray, gpus: int) -> IntArray:
    if gpus < WHOLE:
        return np.max(devices, axis=1, initial=0)
    return (devices >= WHOLE).sum(axis=1, dtype=np.int64) * WHOLE
