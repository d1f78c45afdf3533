"""Processes: identify them by pid and start time, and stop exactly those, in order.

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
    # Threads may go on for a moment, with all that is open, after the first of them has ended.
    has_ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if has_ended else Identity(pid, int(fields[19]), _boot())


def is_alive(process: Identity) -> bool:
    """Tell whether this very process still runs."""
    return identify(process.pid) == process


def is_there(process: Identity) -> bool:
    """Tell whether this very process still runs, or others that it left in its session."""
    return is_alive(process) or bool(left_by(process))


def left_by(process: Identity) -> list[Identity]:
    """List what a process that was killed left in its session, whose number is nobody else's as long as anybody is in it."""
    if identify(process.pid) or process.boot != _boot():
        return []
    found = (identify(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [each for each in found if each and _session(each.pid) == process.pid and each.started >= process.started]


def stop_in_order(running: Iterable[Running], say: Callable[[str], None] = lambda _: None) -> None:
    """Stop processes rank by rank, those of a rank together, and say so of each that was still there."""
    running = list(running)
    _kill_what_is_left(running, say)
    alive = [each for each in running if is_alive(each.identity)]
    for _, same_rank in groupby(sorted(alive, key=lambda each: -each.rank), key=lambda each: each.rank):
        group = list(same_rank)
        for each in group:
            _signal(each.identity, each.stop_signal)
        for each in group:
            say(f"{each.name} {'stopped' if _ended(each) else 'was killed: it did not stop when asked'}")


def _kill_what_is_left(running: Iterable[Running], say: Callable[[str], None]) -> None:
    for each in running:
        if left := left_by(each.identity):
            for process in left:
                _signal(process, signal.SIGKILL)
            wait_until(lambda left=left: not any(map(is_alive, left)), KILL_SECONDS)  # type: ignore[misc]  # bound now
            say(f"what {each.name} left behind was killed")


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


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
