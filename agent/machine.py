"""The machine and this process, as an agent tells of them: what stays as it is, and what the process takes of memory now."""

import os
import platform
import resource
from pathlib import Path
from typing import Any

import psutil

#: Lines of /proc/self/status that tell, in KiB, the most memory that this process ever had.
_PEAKS = {"VmHWM": "peak_rss", "VmPeak": "peak_vms"}


def facts(folder: Path) -> dict[str, Any]:
    """Return what does not change while the machine is up; the disk is the one that `folder` is on, in bytes."""
    system = _release()
    return {
        "system_name": system.get("NAME", platform.system()),
        "kernel_ver": platform.release(),
        "os_ver": system.get("VERSION_ID", ""),
        "os_ver_long": f"{platform.system()} {system.get('VERSION', system.get('VERSION_ID', ''))}".strip(),
        "physical_cores": psutil.cpu_count(logical=False) or os.cpu_count() or 0,
        "num_disks": len(psutil.disk_partitions()),
        "total_disk_space": psutil.disk_usage(str(folder)).total,
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def process() -> dict[str, int]:
    """Return the memory of this process in bytes: resident and virtual, now and at the most."""
    memory = psutil.Process().memory_info()
    now = {"rss": memory.rss, "vms": memory.vms}
    return now | {"peak_rss": memory.rss, "peak_vms": memory.vms} | _peaks()


def _release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _peaks() -> dict[str, int]:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    words = [line.replace(":", " ").split() for line in lines]
    return {_PEAKS[name]: int(value) * 1024 for name, value, *_ in (word for word in words if word and word[0] in _PEAKS)}
