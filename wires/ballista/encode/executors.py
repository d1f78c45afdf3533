"""Nodes as Ballista's executors. A missing value of an agent is 0 or empty, so that no field is missing."""

from collections.abc import Mapping
from typing import Any

from switchyard.scheduling.resources import CPUS, MEM
from wires import facts
from wires.ballista.encode.scheduler import moment
from wires.ballista.states import EXECUTORS

_TEXTS = ("system_name", "kernel_ver", "os_ver", "os_ver_long")
_COUNTS = ("physical_cores", "num_disks")
_NUMBERS = ("total_disk_space", "open_files_limit")


def is_executor(node: Mapping[str, Any]) -> bool:
    """Say whether a node is shown at all."""
    return EXECUTORS[node["state"]]


def executor(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node as an executor; slots are told by the names of two releases."""
    info, figures = facts.mapping(node["info"]), facts.mapping(node["figures"])
    slots = facts.count(node["resources"].get(CPUS, {"total": 0})["total"] // max(node["slot_cpus"], 1))
    return {
        "id": node["name"],
        "host": facts.text(info.get("host")) or node["name"],
        "port": 0,
        "last_seen": moment(node["heard_at"]),
        "specification": {"task_slots": slots, "vcores": slots},
        "metrics": [{"type": name, "value": value} for name, value in _metrics(node, figures).items()],
        "os_info": _os_info(facts.mapping(info.get("machine")), figures),
    }


def _metrics(node: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, int]:
    process = facts.mapping(figures.get("process"))
    available = facts.size(figures.get("mem_available"))
    total = facts.size(figures.get("mem_total")) or facts.size(node["resources"].get(MEM, {"total": 0})["total"])
    return {
        "available_memory": available,
        "total_memory": total,
        "used_memory": max(total - available, 0) if available else 0,
        "proc_physical_memory": facts.number(process.get("rss")),
        "proc_virtual_memory": facts.number(process.get("vms")),
        "peak_physical_memory": facts.number(process.get("peak_rss")),
        "peak_virtual_memory": facts.number(process.get("peak_vms")),
    }


def _os_info(machine: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: facts.text(machine.get(name)) for name in _TEXTS},
        **{name: facts.count(machine.get(name)) for name in _COUNTS},
        **{name: facts.number(machine.get(name)) for name in _NUMBERS},
        "total_available_disk_space": facts.size(figures.get("disk_free")),
    }
