"""The supervisor: keeps the started processes running, and stops them on request.

Knows nothing of what they are (see stack, postgres, redis): any command that ends is started again.
"""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from launch import commands
from launch.commands import Command
from launch.processes import Running, stop_in_order

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
# A process that lived this long had started well: its next end counts as a first one.
HEALTHY_SECONDS = 60.0


@dataclass(slots=True)
class Kept:
    """One command, its latest process, and when it may be started again after that one's end."""

    command: Command
    child: subprocess.Popen[bytes]
    since: float
    failures: int = 0
    due: float | None = None


class Supervisor:
    """The processes of one stack. All methods run on the main thread; a signal wakes it at once."""

    def __init__(self, note: Callable[[list[Running]], None], say: Callable[[str], None]) -> None:
        """Begin with no process; `note` is told of each change, `say` of what a log should hold."""
        self._kept: list[Kept] = []
        self._note = note
        self._say = say
        self._awake, self._bell = socket.socketpair()

    def start(self, command: Command) -> subprocess.Popen[bytes]:
        """Start a command and keep it running from now on."""
        child = commands.spawn(command)
        self._kept.append(Kept(command, child, time.monotonic()))
        self._note(self.running())
        return child

    def running(self) -> list[Running]:
        """List the processes that run now."""
        found = (commands.running(kept.child, kept.command) for kept in self._kept)
        return [each for each in found if each]

    def watch(self, until: Callable[[], bool], *, look_every: float | None = None) -> None:
        """Start again what ends, until a condition holds that is looked at on each change, or more often."""
        for each in (self._awake, self._bell):
            each.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        while not until():
            self._restart(time.monotonic())
            self._wait(look_every)

    def stop(self) -> None:
        """Stop everything, in order, and then what a stopped process left in its session."""
        stop_in_order(self.running(), self._say)
        for kept in self._kept:
            _has_ended(kept.child)

    def _restart(self, now: float) -> None:
        for kept in self._kept:
            if kept.due is None and _has_ended(kept.child):
                self._plan(kept, now)
            if kept.due is not None and kept.due <= now:
                kept.child, kept.since, kept.due = commands.spawn(kept.command), now, None
                self._note(self.running())

    def _plan(self, kept: Kept, now: float) -> None:
        kept.failures = 1 if now - kept.since > HEALTHY_SECONDS else kept.failures + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (kept.failures - 1))
        kept.due = now + delay
        status = kept.child.returncode
        self._say(f"{kept.command.name} ended with status {status}, starts again in {delay:g} s")

    def _wait(self, look_every: float | None) -> None:
        dues = [kept.due - time.monotonic() for kept in self._kept if kept.due is not None]
        waits = [max(0.0, due) for due in dues] + ([look_every] if look_every is not None else [])
        with selectors.DefaultSelector() as selector:
            selector.register(self._awake, selectors.EVENT_READ)
            selector.select(min(waits) if waits else None)
        with suppress(BlockingIOError):
            os.read(self._awake.fileno(), 4096)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process has ended; then end what it left in its session, which might keep its port."""
    if child.returncode is None:
        if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        # Before it is reaped: until then the number of its group cannot become another's.
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return True
