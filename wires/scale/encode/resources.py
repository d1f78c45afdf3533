"""Resources in Scale's words: running + offered + free + unavailable = total, for each resource, node and sum. Pure.

Amounts are counted in whole hundredths until they are told, so that no rounding breaks the sum.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from switchyard.scheduling.resources import CPUS, DISK, GPUS, MEM, is_device
from wires.scale.states import State

#: Hundredths of each kind of amount, by kind: in the middle, on top and in all.
Amounts = dict[str, dict[str, int]]
ALWAYS = (CPUS, MEM, DISK, GPUS)
KINDS = ("offered", "total", "running", "free", "unavailable")
#: What becomes of that which nothing runs on, by the state of its node: what a READY one announces is an offer.
REST = {
    State.READY: "offered",
    State.PAUSED: "free",
    State.SCHEDULER_STOPPED: "free",
    State.DEGRADED: "free",
    State.OFFLINE: "unavailable",
    State.DEPRECATED: "unavailable",
}


def amounts(resources: Mapping[str, Mapping[str, int]], state: State, *, counts: bool) -> Amounts:
    """Divide what a node has; all is zero unless the node `counts`."""
    found: Amounts = {name: dict.fromkeys(KINDS, 0) for name in ALWAYS}
    for own, has in resources.items() if counts else ():
        name = GPUS if is_device(own) else own
        # A total may have shrunk below what runs.
        total, running = (_hundredths(name, amount) for amount in (max(has["total"], has["held"]), has["held"]))
        of = found.setdefault(name, dict.fromkeys(KINDS, 0))
        of["total"] += total
        of["running"] += running
        of[REST[state]] += total - running
    return found


def together(all_: Iterable[Amounts]) -> Amounts:
    """Add up what nodes have."""
    summed: Amounts = {name: dict.fromkeys(KINDS, 0) for name in ALWAYS}
    for one in all_:
        for name, of in one.items():
            known = summed.setdefault(name, dict.fromkeys(KINDS, 0))
            for kind, amount in of.items():
                known[kind] += amount
    return summed


def offers(of: Amounts) -> int:
    """Return how many offers a node makes: one, or none if it has nothing left to announce."""
    return int(any(kinds["offered"] > 0 for kinds in of.values()))


def told(of: Amounts) -> dict[str, Any]:
    """Tell amounts: whole cpus and devices, MiB."""
    return {name: {kind: amount / 100 for kind, amount in kinds.items()} for name, kinds in of.items()}


def _hundredths(name: str, amount: int) -> int:
    return amount // 10 if name in (CPUS, GPUS) else amount * 100
