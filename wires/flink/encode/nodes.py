"""Nodes as Flink's taskmanagers. A missing value of an agent is 0, so that no field is missing."""

from collections.abc import Iterable, Mapping
from typing import Any

from switchyard.scheduling.resources import CPUS, MEM
from wires import facts
from wires.flink import ids
from wires.flink.encode.measures import NONE
from wires.flink.states import TASKMANAGERS

Node = Mapping[str, Any]
#: How a JVM divides its memory, of which agents know nothing but what they manage for tasks.
_MEMORY = (
    *("frameworkHeap", "taskHeap", "frameworkOffHeap", "taskOffHeap", "networkMemory", "managedMemory"),
    *("jvmMetaspace", "jvmOverhead", "totalFlinkMemory", "totalProcessMemory"),
)
_LARGEST_INT = 2**31 - 1


def is_taskmanager(node: Node) -> bool:
    """Say whether a node is shown at all."""
    return TASKMANAGERS[node["state"]]


def taskmanagers(nodes: Iterable[Node]) -> dict[str, Any]:
    """Return the nodes that are there."""
    return {"taskmanagers": [taskmanager(node) for node in nodes]}


def in_full(node: Node) -> dict[str, Any]:
    """Return a node with the memory of its agent's process."""
    return taskmanager(node) | {"metrics": _metrics(node)}


def taskmanager(node: Node) -> dict[str, Any]:
    """Return a node; `timeSinceLastHeartbeat` is when it was last heard."""
    total, free = slots(node)
    return {
        "id": ids.node_id(node["id"]),
        "path": f"{facts.text(facts.mapping(node['info']).get('host')) or node['hostname'] or node['name']}/{node['name']}",
        "dataPort": 0,
        "timeSinceLastHeartbeat": round(node["heard_at"].timestamp() * 1000) if node["heard_at"] else 0,
        "slotsNumber": total,
        "freeSlots": free,
        "hardware": _hardware(node),
        "totalResource": _room(node, held=False),
        "freeResource": _room(node, held=True),
        "memoryConfiguration": {**dict.fromkeys(_MEMORY), "managedMemory": _managed(node)},
    }


def slots(node: Node) -> tuple[int, int]:
    """Return how many slots a node has, and how many of them are free."""
    cpus, each = node["resources"].get(CPUS, {"total": 0, "held": 0}), max(node["slot_cpus"], 1)
    return cpus["total"] // each, max(cpus["total"] - cpus["held"], 0) // each


def process(node: Node) -> dict[str, int]:
    """Return the memory of an agent's process, in bytes, and its threads."""
    told = facts.mapping(facts.mapping(node["figures"]).get("process"))
    return {name: facts.number(told.get(name)) for name in ("rss", "vms", "peak_rss", "peak_vms", "threads")}


def collectors(node: Node) -> list[dict[str, Any]]:
    """Return how often Python's garbage collector has run in an agent, and for how many milliseconds, by generation."""
    told = facts.mapping(facts.mapping(node["figures"]).get("process")).get("collections")
    found = [facts.mapping(each) for each in told] if isinstance(told, list) else []
    return [
        {"name": f"generation {n}", "count": facts.number(each.get("count")), "time": _milliseconds(each.get("seconds"))}
        for n, each in enumerate(found)
    ]


def _milliseconds(seconds: object) -> int:
    return round(seconds * 1000) if isinstance(seconds, int | float) and 0 <= seconds < 10**12 else 0


def memory(node: Node) -> tuple[int, int]:
    """Return the memory of a node's machine and what of it is available, in bytes."""
    figures = facts.mapping(node["figures"])
    managed = facts.size(node["resources"].get(MEM, {"total": 0})["total"])
    return facts.size(figures.get("mem_total")) or managed, facts.size(figures.get("mem_available"))


def load(node: Node) -> float:
    """Return the share of a machine's processors that is busy."""
    value = facts.mapping(node["figures"]).get("cpu")
    return min(max(value / 100, 0.0), 1.0) if isinstance(value, int | float) else 0.0


def _hardware(node: Node) -> dict[str, int]:
    machine, (physical, available) = facts.mapping(facts.mapping(node["info"]).get("machine")), memory(node)
    return {
        "cpuCores": facts.number(machine.get("physical_cores")) or node["resources"].get(CPUS, {"total": 0})["total"] // 1000,
        "physicalMemory": physical,
        "freeMemory": available,
        "managedMemory": _managed(node),
    }


def _room(node: Node, *, held: bool) -> dict[str, Any]:
    """Return what a node has, in cores and MiB, without what is held there if `held`."""
    found = {name: node["resources"].get(name, {"total": 0, "held": 0}) for name in (CPUS, MEM)}
    left = {name: max(each["total"] - (each["held"] if held else 0), 0) for name, each in found.items()}
    return {
        "cpuCores": left[CPUS] / 1000,
        **dict.fromkeys(("taskHeapMemory", "taskOffHeapMemory", "networkMemory"), 0),
        "managedMemory": min(left[MEM], _LARGEST_INT),
        "extendedResources": {},
    }


def _managed(node: Node) -> int:
    return facts.size(node["resources"].get(MEM, {"total": 0})["total"])


def _metrics(node: Node) -> dict[str, Any]:
    told = process(node)
    return {
        "heapUsed": told["rss"],
        "heapCommitted": told["vms"],
        "heapMax": memory(node)[0],
        "nonHeapUsed": 0,
        "nonHeapCommitted": 0,
        "nonHeapMax": NONE,
        **{f"{kind}{name}": 0 for kind in ("direct", "mapped") for name in ("Count", "Used", "Max")},
        "memorySegmentsAvailable": 0,
        "memorySegmentsTotal": 0,
        "garbageCollectors": collectors(node),
    }
