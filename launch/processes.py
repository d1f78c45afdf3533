"""Processes: know one again by pid and start time, and stop exactly those, in order.

Nothing here looks a process up by name, starts one (see commands) or restarts one (see supervisor).
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

POLL_SECONDS = 0.02
KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process beyond doubt: a pid alone is used again, a pid with its start time and boot is not."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True, slots=True)
class Running:
    """A started process and how it is stopped: highest rank first, by a signal, by force after a grace."""

    name: str
    rank: int
    identity: Identity
    stop_signal: int
    grace: float


def identify(pid: int) -> Identity | None:
    """Name the process that has this pid now, or None if there is none but perhaps its remains."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]), boot)


def is_alive(process: Identity) -> bool:
    """Tell whether this very process still runs."""
    return identify(process.pid) == process


def stop_in_order(running: Iterable[Running], say: Callable[[str], None] = lambda _: None) -> None:
    """Stop processes rank by rank, those of a rank together, and say so of each that was still there."""
    alive = [each for each in running if is_alive(each.identity)]
    for _, same_rank in groupby(sorted(alive, key=lambda each: -each.rank), key=lambda each: each.rank):
        group = list(same_rank)
        for each in group:
            _signal(each.identity, each.stop_signal)
        for each in group:
            say(f"{each.name} {'stopped' if _ended(each) else 'was killed: it did not stop when asked'}")


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Look again until a condition holds or the time is over; tell which."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _ended(running: Running) -> bool:
    if wait_until(lambda: not is_alive(running.identity), running.grace):
        return True
    _signal(running.identity, signal.SIGKILL, group=True)
    wait_until(lambda: not is_alive(running.identity), KILL_SECONDS)
    return False


def _signal(process: Identity, number: int, *, group: bool = False) -> None:
    if is_alive(process):
        (os.killpg if group else os.kill)(process.pid, number)
