"""Resources: named whole amounts, their arithmetic, how people read them.

Units: `cpus` in thousandths of a core, `mem` and `disk` in MiB, any other name in its own unit. A demand asks
for `gpus` in thousandths: under 1,000 a fraction of one device, else whole devices. A node has no `gpus`:
each of its devices is a resource of its own (`gpu0`, `gpu1` ...) of 1,000; `cluster` chooses among them. Limits
are not checked here (see spec).
"""

from collections.abc import Iterable, Iterator, Mapping

CPUS = "cpus"
MEM = "mem"
DISK = "disk"
GPUS = "gpus"
WHOLE = 1000


class Resources(Mapping[str, int]):
    """A frozen mapping of names to amounts; a name that is absent counts 0, and 0 is never stored."""

    __slots__ = ("_amounts", "_hash")

    def __init__(self, amounts: Mapping[str, int] | Iterable[tuple[str, int]] = (), /, **named: int) -> None:
        self._amounts = {name: amount for name, amount in dict(amounts, **named).items() if amount}
        self._hash: int | None = None

    def __getitem__(self, name: str) -> int:
        return self._amounts.get(name, 0)

    def __contains__(self, name: object) -> bool:
        return name in self._amounts

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._amounts.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self._amounts == (other._amounts if isinstance(other, Resources) else other)

    def __add__(self, other: Mapping[str, int]) -> "Resources":
        return Resources({name: self[name] + other.get(name, 0) for name in self._amounts | dict(other)})

    def __sub__(self, other: Mapping[str, int]) -> "Resources":
        """Subtract; the result may be negative, as when a node's total shrinks below what is held."""
        return Resources({name: self[name] - other.get(name, 0) for name in self._amounts | dict(other)})

    def __mul__(self, times: int) -> "Resources":
        return Resources({name: amount * times for name, amount in self._amounts.items()})

    def __repr__(self) -> str:
        return f"Resources({self._amounts!r})"

    def __str__(self) -> str:
        return describe(self)


NOTHING = Resources()


def hold(demand: Mapping[str, int], devices: Mapping[str, int]) -> Resources:
    """Return what one task takes from its node: the demand, with its GPUs replaced by the chosen devices."""
    return Resources({name: amount for name, amount in demand.items() if name != GPUS} | dict(devices))


def devices_wanted(gpus: int) -> int:
    """Return how many devices this amount of `gpus` occupies, at least in part."""
    return -(-gpus // WHOLE)


def is_device(name: str) -> bool:
    """Say whether this names one GPU of a node, such as `gpu0`."""
    return name.startswith("gpu") and name[3:].isdecimal()


def device_number(name: str) -> int:
    """Return the number in a device's name: 10 for `gpu10`."""
    return int(name[3:])


def devices_in(amounts: Mapping[str, int]) -> list[str]:
    """Return the names of the GPU devices, by number."""
    return sorted(filter(is_device, amounts), key=device_number)


def most_of_each(demands: Iterable[Mapping[str, int]]) -> Resources:
    """Return of each resource the most that any of these asks for."""
    found: dict[str, int] = {}
    for demand in demands:
        found |= {name: max(amount, found.get(name, 0)) for name, amount in demand.items()}
    return Resources(found)


def describe(amounts: Mapping[str, int]) -> str:
    """Format for people: `2.5 cpus, 4 GiB memory`; a node's devices are counted together."""
    devices = devices_in(amounts)
    shown = {name: amounts[name] for name in amounts if not is_device(name)}
    if devices:
        shown[GPUS] = shown.get(GPUS, 0) + sum(amounts[name] for name in devices)
    return ", ".join(describe_amount(name, shown[name]) for name in sorted(shown, key=_reading_order)) or "nothing"


def describe_amount(name: str, amount: int) -> str:
    """Format one amount for people: `1 cpu`, `512 MiB memory`, `10 GiB disk`, `0.5 gpus`, `3 licenses`."""
    if name in (CPUS, GPUS):
        return f"{_decimal(amount / WHOLE)} {name[:-1] if amount == WHOLE else name}"
    if name == MEM:
        return f"{_mebibytes(amount)} memory"
    if name == DISK:
        return f"{_mebibytes(amount)} disk"
    return f"{amount:,} {name}"


def _reading_order(name: str) -> tuple[int, str]:
    known = (CPUS, MEM, DISK, GPUS)
    return (known.index(name) if name in known else len(known), name)


def _mebibytes(amount: int) -> str:
    for unit, size in (("TiB", 1 << 20), ("GiB", 1 << 10)):
        if abs(amount) >= size:
            return f"{_decimal(amount / size)} {unit}"
    return f"{amount} MiB"


def _decimal(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".")
