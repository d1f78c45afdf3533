"""Fitness: whether the machine can run tasks, and when it can again."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from switchyard.agent.machine import faults

log = structlog.get_logger()
#: The disk is full with less free than this share of it, or these bytes if they are fewer; it is not with twice as much.
SHARE, LOW = 20, 64 << 20
#: What a probe writes and opens, and what it runs.
PROBE, OPEN = 1 << 20, 16
NOTHING = [sys.executable, "-I", "-S", "-c", ""]
#: Seconds that a fault stands at least, and between looks.
STANDS, LOOK = 2.0, 0.5
#: Seconds within which a fault comes again that a probe does not find; then it stands twice as long, up to the longest.
AGAIN, LONGEST = 30.0, 300.0


class Fitness:
    """Whether this agent can run tasks; those in `changed` are called whenever that changes."""

    def __init__(self, folder: Path) -> None:
        self.changed: list[Callable[[], None]] = []
        self._folder = folder
        self._until = self._looked = 0.0
        self._stands = STANDS
        self._over = float("-inf")
        self.fault = ""

    def note(self, fault: str, now: float) -> None:
        """Take what has failed for a fault that stands for a while, and until a probe finds nothing."""
        if not self.fault:
            self._stands = min(2 * self._stands, LONGEST) if now - self._over < AGAIN else STANDS
        self._until = now + self._stands
        self._set(fault, now)

    def look(self, now: float) -> None:
        """Find out from time to time whether a fault has come or is over."""
        if now - self._looked < LOOK:
            return
        self._looked = now
        if self._is_low():
            # It is measured, so that it stands for little longer than it lasts, however often it comes again.
            self._until = max(self._until, now + STANDS)
            self._set(faults.full(self._folder), now)
        elif self.fault and now >= self._until:
            self._set(_probe(self._folder), now)

    def _is_low(self) -> bool:
        free, total = faults.space(self._folder)
        low = min(LOW, total // SHARE)
        return free < (2 * low if self.fault else low)

    def _set(self, fault: str, now: float) -> None:
        if fault == self.fault:
            return
        turned = bool(fault) != bool(self.fault)
        self.fault = fault
        if turned:
            self._over = now
            log.error("no tasks can be run", fault=fault) if fault else log.info("tasks can be run again")
            for call in self.changed:
                call()


def _probe(folder: Path) -> str:
    """Return the fault that shows in trying what tasks need: space, open files, a process; empty if there is none."""
    path, opened = folder / "probe", list[int]()
    try:
        opened.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.posix_fallocate(opened[0], 0, PROBE)
        while len(opened) < OPEN:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        pid = os.posix_spawn(sys.executable, NOTHING, {})
        os.waitpid(pid, 0)
    except OSError as error:
        return faults.describe(error, folder)
    finally:
        for fd in opened:
            os.close(fd)
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return ""
