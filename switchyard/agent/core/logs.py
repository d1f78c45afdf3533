"""Logs: the part of a worker's output that belongs to one task, and how much of it is kept."""

from collections.abc import Iterable
from dataclasses import dataclass

STREAMS = ("stdout", "stderr")
#: Stage, index, attempt and stream.
Name = tuple[int, int, int, str]


@dataclass(slots=True)
class Log:
    """One stream of one task: from `start` on in the file at `path`, to `end` once the task has ended."""

    stage: int
    index: int
    attempt: int
    stream: str
    path: str
    start: int
    end: int | None = None
    shipped: int = 0

    @property
    def name(self) -> Name:
        return self.stage, self.index, self.attempt, self.stream


def accounts(logs: Iterable[Log], cap: int) -> dict[str, dict[str, int]] | None:
    """Return by stream how many bytes of a task's output are stored, and left out; None without output."""
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
