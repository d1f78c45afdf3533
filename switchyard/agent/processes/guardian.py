"""The guardian: starts a zygote, and kills it with all its descendants after the agent's end or a lost connection.

A process of its own, in a session of its own, so that nothing that ends the agent ends it too. The agent's end of the
pipe closing means that the agent is gone; what it writes there is the time (CLOCK_BOOTTIME, seconds) by which it will
have written again. Being a subreaper, the guardian finds whatever a task left behind below itself.
"""

import ctypes
import os
import select
import signal
import struct
import subprocess
import sys
import time

from switchyard.agent.processes import cgroups, trees

DEADLINE = struct.Struct("<d")
PR_SET_CHILD_SUBREAPER = 36
#: Seconds between looks at the clock, which may jump while the machine sleeps.
LOOK = 1.0


def main(pipe: int, zygote_socket: int, groups: str, argv: list[str]) -> None:
    """Guard until there is nothing left to guard; `groups` begins the paths of its workers' control groups, if any."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    zygote = subprocess.Popen([*argv, str(zygote_socket)], pass_fds=[zygote_socket])
    os.close(zygote_socket)
    _guard(pipe, woken, zygote.pid)
    trees.kill(os.getpid(), root=False)
    if groups:
        cgroups.sweep(f"{groups}{os.getpid()}-")


def _guard(pipe: int, woken: int, zygote: int) -> None:
    """Return when the agent is gone, the deadline has passed, or the zygote has ended."""
    deadline = float("inf")
    while time.clock_gettime(time.CLOCK_BOOTTIME) < deadline:
        ready, _, _ = select.select([pipe, woken], [], [], LOOK)
        if woken in ready:
            os.read(woken, 4096)
            if _reap(zygote):
                return
        if pipe in ready:
            told = os.read(pipe, DEADLINE.size)
            if not told:
                return
            (deadline,) = DEADLINE.unpack(told)


def _reap(zygote: int) -> bool:
    """Reap what has ended; say whether the zygote has."""
    ended = False
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended = ended or pid == zygote


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
