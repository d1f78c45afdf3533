"""Usage: what processes take of the machine, as the kernel counts it."""

from collections.abc import Iterable
from pathlib import Path

import psutil

KIB_A_MIB = 1024


def cpu_seconds(processes: Iterable[psutil.Process]) -> dict[int, float]:
    """Return the processor time that each has used, by pid; what is gone is left out."""
    used = {}
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used[process.pid] = times.user + times.system
    return used


def pss_mib(processes: Iterable[psutil.Process]) -> float:
    """Return the memory of all of them, shared pages divided among those that share them."""
    return sum(_pss_kib(process.pid) for process in processes) / KIB_A_MIB


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
