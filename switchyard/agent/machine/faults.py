"""Faults of the machine that keep an agent from running tasks, such as a full disk. Runs in workers too.

A fault is a text, its cause before a colon. Whatever fails in the agent's own folders and processes is the node's fault;
a task fails for its own reasons with what it does itself.
"""

import errno
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

#: Bytes that are free at least where a task has not failed for want of space.
NONE_FREE = 64 << 10
#: What is taken for the size of a file system that tells none.
LARGE = 1 << 40
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_FILES = frozenset({errno.EMFILE, errno.ENFILE})
NO_PROCESS = frozenset({errno.EAGAIN, errno.ENOMEM})
#: What starting a program fails with whatever the program is.
OF_MACHINE = NO_SPACE | NO_FILES | NO_PROCESS


def describe(error: OSError, folder: Path) -> str:
    """Return the fault that an error in the agent's own work tells of."""
    if error.errno in NO_SPACE:
        quota = " (or its quota is used up)" if error.errno == errno.EDQUOT else ""
        # What did not fit, where that is known: it may be gone again, and the space free.
        what = f"; {error.strerror}" if error.strerror not in (None, os.strerror(error.errno)) else ""
        return f"{full(folder)}{quota}{what}"
    if error.errno in NO_FILES:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return f"too many open files: up to {most} for each process; raise the limit (ulimit -n, LimitNOFILE=)"
    if error.errno in NO_PROCESS:
        mend = "free memory, or raise the limit of processes (ulimit -u, TasksMax=)"
        return f"no process can be started: {error.strerror}; {mend}"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"folder cannot be written: {folder}: {error.strerror}"
    if isinstance(error, FileNotFoundError) and error.filename == sys.executable:
        return f"interpreter missing: {sys.executable}, which runs this agent"
    return f"the machine fails: {error}"


def no_space_left(folder: Path) -> bool:
    """Say whether nothing more can be written there."""
    return space(folder)[0] < NONE_FREE


def filled_by(own: Path, since: float, asked: int, data: Path) -> str:
    """Return what says that a task has filled the disk itself, or nothing.

    It has if what its own folder holds that changed since its beginning (seconds since the epoch) is more than it asked for
    (MiB), or without that more than half of the disk that the agent's folder is on.
    """
    total, held = space(data)[1], _held(own, since)
    if held <= ((asked << 20) or total // 2):
        return ""
    wanted = f"it asked for {asked} MB" if asked else "it asked for none (resources: disk)"
    return f"the task filled the disk: its folder held {held >> 20} of {total >> 20} MB, and {wanted}"


def full(folder: Path) -> str:
    """Return the fault of a full disk."""
    free, total = space(folder)
    return f"disk full: {free >> 20} of {total >> 20} MB free in {folder}"


def _held(folder: Path, since: float) -> int:
    """Return how many bytes the files below a folder take that have changed since a time."""
    held = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found = os.lstat(os.path.join(top, name))  # noqa: PTH118 - there may be very many
                held += found.st_blocks * 512 if found.st_ctime >= since else 0
    return held


def space(folder: Path) -> tuple[int, int]:
    """Return how many bytes are free, and how many there are; a file system without a size is taken for large."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return LARGE, LARGE
    return (found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize) if found.f_blocks else (LARGE, LARGE)
