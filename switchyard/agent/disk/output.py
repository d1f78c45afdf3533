"""Limits of the stored output of a task, so that it does not fill the disk.

A worker's output goes to two files that only grow; a task's share of one is from an offset to another. Over the cap,
its first and last halves are kept around a line that says how much is missing.
"""

import ctypes
import os
from pathlib import Path

from switchyard.agent.core.logs import Log, kept

CAP = 10 << 20
#: Bytes that a running task may write beyond the cap before the middle is freed again.
SLACK = 4 << 20
#: Bytes at the end of a stream that its last line is looked for in.
LINE = 1024
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)


def read(log: Log, cap: int, most: int) -> bytes:
    """Return what comes next of a log, b"" if there is nothing now; of a running task only what is kept in any case."""
    with Path(log.path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        total = max(0, (size if log.end is None else min(log.end, size)) - log.start)
        head, gap, tail = kept(total, cap)
        if log.end is None:
            head, gap, tail = min(head, cap // 2), b"", 0
        if log.shipped < head:
            return os.pread(file.fileno(), min(most, head - log.shipped), log.start + log.shipped)
        past = log.shipped - head
        if past < len(gap):
            return gap[past:]
        past -= len(gap)
        return os.pread(file.fileno(), max(0, min(most, tail - past)), log.start + total - tail + past)


def size(path: Path | str) -> int:
    """Return how much has been written to a file; nothing if a task has removed it."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def last_line(path: Path, start: int) -> str:
    """Return the last line with something in it of what a file holds from an offset on, as far as it can be shown."""
    end = size(path)
    if end <= start:
        return ""
    with path.open("rb") as file:
        data = os.pread(file.fileno(), LINE, max(start, end - LINE))
    lines = data.decode(errors="replace").splitlines()
    shown = ("".join(filter(str.isprintable, line)).strip() for line in reversed(lines))
    return next(filter(None, shown), "")


def bound(fd: int, start: int, cap: int) -> None:
    """Free the disk under the middle of what a running task has written, if it is much over the cap."""
    size = os.fstat(fd).st_size
    if size - start > cap + SLACK:
        free(fd, start + cap // 2, size - cap)


def free(fd: int, start: int, end: int) -> None:
    """Free the disk under a part of a file; the file keeps its size. A file system that cannot do it keeps it all."""
    if end > start:
        _libc.fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, ctypes.c_long(start), ctypes.c_long(end - start))
