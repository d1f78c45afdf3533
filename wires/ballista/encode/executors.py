"""Nodes as Ballista's executors. What an agent does not tell is 0 or empty: its clients miss no field."""

from collections.abc import Mapping
from typing import Any

from scheduling.resources import CPUS, MEM
from wires.ballista.encode.scheduler import moment
from wires.ballista.states import EXECUTORS

MIB = 1024 * 1024
#: Clients read numbers into 64 bits, whatever an agent tells.
LARGEST = 2**63 - 1
_TEXTS = ("system_name", "kernel_ver", "os_ver", "os_ver_long")
_NUMBERS = ("physical_cores", "num_disks", "total_disk_space", "open_files_limit")


def is_executor(node: Mapping[str, Any]) -> bool:
    """Say whether a node is shown at all."""
    return EXECUTORS[node["state"]]


def executor(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node as an executor; slots are told by the names of two releases."""
    info, figures = _object(node["info"]), _object(node["figures"])
    slots = node["resources"].get(CPUS, {"total": 0})["total"] // max(node["slot_cpus"], 1)
    return {
        "id": node["name"],
        "host": _text(info.get("host")) or node["name"],
        "port": 0,
        "last_seen": moment(node["heard_at"]),
        "specification": {"task_slots": slots, "vcores": slots},
        "metrics": [{"type": name, "value": value} for name, value in _metrics(node, figures).items()],
        "os_info": _os_info(_object(info.get("machine")), figures),
    }


def _metrics(node: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, int]:
    process = _object(figures.get("process"))
    available = _bytes(figures.get("mem_available"))
    total = _bytes(figures.get("mem_total")) or _bytes(node["resources"].get(MEM, {"total": 0})["total"])
    return {
        "available_memory": available,
        "total_memory": total,
        "used_memory": max(total - available, 0) if available else 0,
        "proc_physical_memory": _number(process.get("rss")),
        "proc_virtual_memory": _number(process.get("vms")),
        "peak_physical_memory": _number(process.get("peak_rss")),
        "peak_virtual_memory": _number(process.get("peak_vms")),
    }


def _os_info(machine: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: _text(machine.get(name)) for name in _TEXTS},
        **{name: _number(machine.get(name)) for name in _NUMBERS},
        "total_available_disk_space": _bytes(figures.get("disk_free")),
    }


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _bytes(mib: object) -> int:
    return min(_number(mib) * MIB, LARGEST)


def _number(value: object) -> int:
    return min(int(value), LARGEST) if isinstance(value, int | float) and value >= 0 else 0
