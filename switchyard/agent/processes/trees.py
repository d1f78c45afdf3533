"""Process trees, read from /proc: find descendants and kill them. Knows no task and no worker."""

import os
import re
import signal
import time
from pathlib import Path

#: How often what begins meanwhile is ended.
ROUNDS = 100
_TRANSFERRED = re.compile(rb"rchar: (\d+)\nwchar: (\d+)\n")


def start_time(pid: int | str) -> int:
    """Return when a process started, in clock ticks since the boot: with its id, what names it for good; 0 if it is gone."""
    try:
        return int(_stat(pid)[19])
    except (OSError, IndexError):
        return 0


def signal_name(number: int) -> str:
    """Return what a signal is called; those for real time have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def is_alive(pid: int) -> bool:
    """Say whether a process is there and has not ended; one that only waits to be reaped has."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (OSError, IndexError):
        return False


def children(pid: int) -> list[int]:
    """Return the processes whose parent this is, those that are not reaped among them."""
    return [child for child, parent in _parents().items() if parent == pid]


def descendants(pid: int) -> list[int]:
    """Return all processes below this one, but those that are only not reaped yet."""
    parents = _parents(alive=True)
    found: list[int] = []
    level = {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found.extend(level)
    return found


def kill(pid: int, *, root: bool) -> None:
    """Kill all processes below one, again until there are none, and then with `root` that one too.

    What is orphaned meanwhile must end up below it again: it, or what it runs in, must be a subreaper.
    """
    if root:
        _signal(pid, signal.SIGSTOP)
    for _ in range(ROUNDS):
        below = descendants(pid)
        for process in below:
            _signal(process, signal.SIGKILL)
        if not below:
            break
        time.sleep(0.005)
    if root:
        _signal(pid, signal.SIGKILL)


def end_children() -> bool:
    """End and reap all that descends from this process, which is a subreaper; say whether any of it was alive."""
    if not _reap():
        return False
    for _ in range(ROUNDS):
        for child in children(os.getpid()):
            _signal(child, signal.SIGKILL)
        os.waitpid(-1, 0)
        if not _reap():
            break
    return True


def resident(pid: int) -> int:
    """Return the MiB of memory that a process and all below it use."""
    return sum(map(_resident, [pid, *descendants(pid)])) * os.sysconf("SC_PAGE_SIZE") >> 20


def transferred(pid: int) -> tuple[int, int] | None:
    """Return how many bytes a process has read and written, with all that it waited for; None where that is not told.

    It may have ended, as long as it is not reaped.
    """
    try:
        fd = os.open(f"/proc/{pid}/io", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        found = _TRANSFERRED.match(os.read(fd, 4096))
    except OSError:
        return None
    finally:
        os.close(fd)
    return (int(found[1]), int(found[2])) if found else None


def _reap() -> bool:
    """Reap what has ended; say whether there are children that have not."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _parents(*, alive: bool = False) -> dict[int, int]:
    parents = {}
    with os.scandir("/proc") as entries:
        names = [entry.name for entry in entries if entry.name.isdigit()]
    for name in names:
        try:
            state, parent = _stat(name)[:2]
        except (OSError, ValueError):
            continue
        if not (alive and state in "ZX"):
            parents[int(name)] = int(parent)
    return parents


def _stat(pid: int | str) -> list[str]:
    """Return the fields of a process from its state on."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
