"""The description of the machine and of the agent's process: fixed facts, and present figures."""

import gc
import os
import platform
import resource
import shutil
import time
import tomllib
from pathlib import Path
from typing import Any

import psutil

PRODUCT = Path(__file__).resolve().parents[3] / "pyproject.toml"
#: Lines of /proc/self/status that tell, in KiB, the most memory that this process ever had.
_PEAKS = {"VmHWM": "peak_rss", "VmPeak": "peak_vms"}


def version() -> str:
    """Return the version of this product; it runs from the folder that says so."""
    told: str = tomllib.loads(PRODUCT.read_text())["project"]["version"]
    return told


def facts(folder: Path) -> dict[str, Any]:
    """Return what does not change while the machine is up; the disk is the one that `folder` is on, in bytes.

    `boot_id` tells it from other machines; `cpus` are thousandths, `mem` is MiB.
    """
    system = _release()
    return {
        "system_name": system.get("NAME", platform.system()),
        "kernel_ver": platform.release(),
        "os_ver": system.get("VERSION_ID", ""),
        "os_ver_long": f"{platform.system()} {system.get('VERSION', system.get('VERSION_ID', ''))}".strip(),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "cpus": 1000 * (os.cpu_count() or 1),
        "mem": psutil.virtual_memory().total >> 20,
        "physical_cores": psutil.cpu_count(logical=False) or os.cpu_count() or 0,
        "num_disks": len(psutil.disk_partitions()),
        "total_disk_space": psutil.disk_usage(str(folder)).total,
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def abilities() -> dict[str, str]:
    """Return labels for what this machine can run beside Python."""
    return {"java": "yes"} if shutil.which("java") else {}


def process() -> dict[str, Any]:
    """Return of this process the memory in bytes, resident and virtual, now and at the most; threads and collections."""
    own = psutil.Process()
    memory = own.memory_info()
    now = {"rss": memory.rss, "vms": memory.vms}
    peaks = {"peak_rss": memory.rss, "peak_vms": memory.vms} | _peaks()
    return now | peaks | {"threads": own.num_threads(), "collections": _collections.figures()}


def time_collections() -> None:
    """Begin to measure how long the garbage collector takes."""
    if _collections.note not in gc.callbacks:
        gc.callbacks.append(_collections.note)


class _Collections:
    """How often the garbage collector has run, and for how many seconds, by generation."""

    def __init__(self) -> None:
        self._seconds = [0.0] * len(gc.get_stats())
        self._begun = 0.0

    def note(self, phase: str, info: dict[str, int]) -> None:
        """Hear from the garbage collector that it begins or ends."""
        if phase == "start":
            self._begun = time.perf_counter()
        else:
            self._seconds[info["generation"]] += time.perf_counter() - self._begun

    def figures(self) -> list[dict[str, float]]:
        """Return the figures of each generation, the youngest first."""
        counts = [generation["collections"] for generation in gc.get_stats()]
        return [{"count": count, "seconds": round(took, 6)} for count, took in zip(counts, self._seconds, strict=True)]


_collections = _Collections()


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
