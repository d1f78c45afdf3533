"""The number of processes that the kernel has killed on this machine for lack of memory."""

from pathlib import Path


def kills() -> int:
    """Return the count since the boot; 0 where the kernel does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
