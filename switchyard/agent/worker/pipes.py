"""The protocol of an agent and its workers: records in pipes and a page of shared memory. Layout only, no meaning.

A record in a worker's items pipe is one task that has not begun: the worker claims it by reading it, the agent takes it
back by reading it, and the kernel lets only one of them. So "not begun" is exact, however many tasks were handed over.
"""

import mmap
import os
import struct
from dataclasses import astuple, replace

from switchyard.agent.core.records import Saved, Status

#: stage, attempt, index, how much of the stage's description must have been read, whether the rest of what it is given is
#: to come from tasks of the same worker
ITEM = struct.Struct("<qiii?")
#: claimed so far, stage, attempt, index, begun (µs), ends of stdout and stderr before it, claimed again
STATUS = struct.Struct("<qqiiqqqq")
#: process group of the running command (0: none), process id of the worker, its start time in clock ticks
PROCESSES = struct.Struct("<qqq")
#: number of the last write (odd: being written), length of what follows
LIVE = struct.Struct("<qq")
GROUP = struct.Struct("<q")
#: The fields of agent.core.records.Saved, and the number again
SAVED = struct.Struct("<qqqqqqqqq")
#: by the agent: which task, as claimed, is asked for its state, and for which checkpoint; the task again
ASKED = struct.Struct("<qqq")
#: the last task, as claimed, that answers
EXPECTED = struct.Struct("<q")
SAVED_AT = 56
PROCESSES_AT = 128
ASKED_AT = 160
EXPECTED_AT = 192
LIVE_AT = 256
PAGE = 1 << 16
#: How often a status is read that is being written: a process that is killed while it writes leaves it like that.
PATIENCE = 1000
#: Bytes of JSON about a running task that the page takes.
LIVE_LIMIT = PAGE - LIVE_AT - LIVE.size


class Page:
    """A worker's page: written by the worker, read by the agent and by its successor."""

    def __init__(self, fd: int) -> None:
        self.memory = mmap.mmap(fd, PAGE)

    def status(self) -> Status:
        """Return what was begun last, never a mix of two tasks: what was only half written has not begun."""
        for _ in range(PATIENCE):
            status = Status(*STATUS.unpack_from(self.memory))
            if status.claimed == status.again:
                return status
        return replace(status, claimed=min(status.claimed, status.again))

    def processes(self) -> tuple[int, int, int]:
        """Return the process group of the running command, the worker's process id and its start time."""
        group, pid, started = PROCESSES.unpack_from(self.memory, PROCESSES_AT)
        return group, pid, started

    def set_processes(self, pid: int, started: int) -> None:
        PROCESSES.pack_into(self.memory, PROCESSES_AT, 0, pid, started)

    def set_group(self, group: int) -> None:
        GROUP.pack_into(self.memory, PROCESSES_AT, group)

    def live(self) -> tuple[int, bytes]:
        """Return the number of the last write about the running task, and its text; (0, b"") if there is none."""
        number, length = LIVE.unpack_from(self.memory, LIVE_AT)
        if not number or number % 2:
            return 0, b""
        start = LIVE_AT + LIVE.size
        text = self.memory[start : start + length]
        return (number, text) if LIVE.unpack_from(self.memory, LIVE_AT)[0] == number else (0, b"")

    def set_live(self, text: bytes) -> None:
        """Replace what is told about the running task."""
        number = LIVE.unpack_from(self.memory, LIVE_AT)[0]
        start = LIVE_AT + LIVE.size
        LIVE.pack_into(self.memory, LIVE_AT, number + 1, len(text))
        self.memory[start : start + len(text)] = text
        LIVE.pack_into(self.memory, LIVE_AT, number + 2, len(text))

    def saved(self) -> Saved | None:
        """Return the last state that was saved; None without one, or while one is being told."""
        *told, again = SAVED.unpack_from(self.memory, SAVED_AT)
        return Saved(*told) if told[0] and told[0] == again else None

    def set_saved(self, saved: Saved) -> None:
        SAVED.pack_into(self.memory, SAVED_AT, *astuple(saved), saved.number)

    def asked(self, claimed: int) -> int:
        """Return the checkpoint for which the task is asked that was claimed as this number; 0 for none."""
        task, checkpoint, again = ASKED.unpack_from(self.memory, ASKED_AT)
        return checkpoint if task == again == claimed else 0

    def ask(self, claimed: int, checkpoint: int) -> None:
        ASKED.pack_into(self.memory, ASKED_AT, claimed, checkpoint, claimed)

    def expected(self) -> int:
        """Return the last task, as claimed, that answers when it is asked for its state."""
        (task,) = EXPECTED.unpack_from(self.memory, EXPECTED_AT)
        return int(task)

    def expect(self, claimed: int) -> None:
        EXPECTED.pack_into(self.memory, EXPECTED_AT, claimed)


def new_page(path: str) -> int:
    """Make the file of a page and return its descriptor."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    # Not a hole: on a full disk writing to one would end the process by SIGBUS.
    try:
        os.posix_fallocate(fd, 0, PAGE)
    except OSError:
        os.close(fd)
        raise
    return fd


def pack_items(stage: int, attempt: int, indexes: list[int], version: int, *, ahead: bool) -> bytes:
    """Return the records of some tasks of one stage, in this order."""
    pack = ITEM.pack
    return b"".join([pack(stage, attempt, index, version, ahead) for index in indexes])
