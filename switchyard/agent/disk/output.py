"""How much of a task's standard output and error is kept, so that it does not fill the disk.

A worker's output goes to two files that only grow; a task's share of one is from an offset to another. Over the cap,
its first and last halves are kept around a line that says how much is missing.
"""

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CAP = 10 << 20
#: Bytes that a running task may write beyond the cap before the middle is freed again.
SLACK = 4 << 20
#: Bytes at the end of a stream that its last line is looked for in.
LINE = 1024
STREAMS = ("stdout", "stderr")
#: Stage, index, attempt and stream.
Name = tuple[int, int, int, str]
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Log:
    """One stream of one task: from `start` on in a file, to `end` once the task has ended."""

    stage: int
    index: int
    attempt: int
    stream: str
    path: Path
    start: int
    end: int | None = None
    shipped: int = 0

    @property
    def name(self) -> Name:
        return self.stage, self.index, self.attempt, self.stream


def written(end: dict[str, Any], folder: Path) -> list[Log]:
    """Take where a task's output begins and ends out of what its worker told; return it as logs in that worker's folder."""
    logs = []
    for stream in STREAMS:
        start, stop = end.pop(stream, None) or (0, 0)
        start = start if stop >= start else 0
        if stop > start:
            logs.append(Log(end["stage"], end["index"], end["attempt"], stream, folder / stream, start, stop))
    return logs


def accounts(logs: Iterable[Log], cap: int) -> dict[str, dict[str, int]] | None:
    """Return by stream how many bytes of what a task wrote are stored, and left out; None if it wrote nothing."""
    return {log.stream: account((log.end or log.start) - log.start, cap) for log in logs} or None


def kept(total: int, cap: int) -> tuple[int, bytes, int]:
    """Return how many first bytes of a stream are kept, the line after them, and how many last bytes."""
    if total <= cap:
        return total, b"", 0
    head = cap // 2
    tail = cap - head
    return head, b"\n[%d bytes left out]\n" % (total - cap), tail


def account(total: int, cap: int) -> dict[str, int]:
    """Return how many bytes of a stream are stored, and how many are left out."""
    head, gap, tail = kept(total, cap)
    return {"bytes": head + len(gap) + tail, "dropped": max(0, total - cap)}


def read(log: Log, cap: int, most: int) -> bytes:
    """Return what comes next of a log, b"" if there is nothing now; of a running task only what is kept in any case."""
    with log.path.open("rb") as file:
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


def size(path: Path) -> int:
    """Return how much has been written to a file; nothing if a task has removed it."""
    try:
        return path.stat().st_size
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
