"""The agent's side of its workers: starting them, handing tasks over, taking back what has not begun, reading results."""

import fcntl
import json
import mmap
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.wire import ITEM, STATUS, pack_items, unpack_items

Key = tuple[Any, ...]
#: Bytes of a description that go through the pipe, which holds as many of them as a worker has tasks.
INLINE = 8 * 1024
PIPE = 1 << 20


class Worker:
    """One worker process; `outstanding` tasks were handed to it and have not ended."""

    def __init__(
        self, number: int, key: Key, folder: Path, items: int, unclaimed: int, stages: int, results: int, status: int
    ) -> None:
        self._folder = folder
        self.number = number
        self.key = key
        self.pid = 0
        self.outstanding = 0
        self.running: Any = None
        self.reported = 0
        self.known: set[int] = set()
        self.results = results
        self._items = items
        self._unclaimed = unclaimed
        self._stages = stages
        self._status = mmap.mmap(status, STATUS.size)
        self._partial = b""
        os.close(status)

    def describe(self, stage: int, line: bytes) -> None:
        """Tell the worker of a stage, once; what is long goes by a file, so that this never waits for the worker."""
        self.known.add(stage)
        if len(line) > INLINE:
            path = self._folder / f"stage-{stage}.json"
            path.write_bytes(line)
            line = json.dumps({"id": stage, "path": str(path)}).encode() + b"\n"
        os.write(self._stages, line)

    def hand(self, stage: int, attempt: int, indexes: list[int]) -> None:
        """Hand tasks over, in order."""
        self.outstanding += len(indexes)
        os.write(self._items, pack_items(stage, attempt, indexes))

    def take_back(self) -> list[tuple[int, int, int]]:
        """Take back every task (stage, attempt, index) that the worker has not begun."""
        try:
            items = unpack_items(os.read(self._unclaimed, ITEM.size * 4096))
        except BlockingIOError:
            return []
        self.outstanding -= len(items)
        return items

    def current(self) -> tuple[int, int, int, int, int, int]:
        """Return claimed, stage, attempt, index, begun and process group of what was begun last."""
        return STATUS.unpack_from(self._status)

    def read(self) -> bytes:
        """Return whole lines that the worker has written."""
        data = self._partial + os.read(self.results, 1 << 20)
        whole, newline, self._partial = data.rpartition(b"\n")
        return whole + newline


class Zygote:
    """The process that forks workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "agent.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._numbers = 0

    def start(self, key: Key) -> Worker:
        """Ask for a worker; it takes tasks at once and begins when it is there."""
        self._numbers += 1
        items_read, items_write = os.pipe2(os.O_CLOEXEC)
        stages_read, stages_write = os.pipe2(os.O_CLOEXEC)
        results_read, results_write = os.pipe2(os.O_CLOEXEC)
        status = os.memfd_create("status", os.MFD_CLOEXEC)
        os.ftruncate(status, STATUS.size)
        message = json.dumps({"worker": self._numbers}).encode()
        socket.send_fds(self.socket, [message], [items_read, stages_read, results_write, status])
        # A description of its own of the pipe's end, so that taking back never waits while the worker's reading does.
        unclaimed = os.open(f"/proc/self/fd/{items_read}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.fcntl(stages_write, fcntl.F_SETPIPE_SZ, PIPE)
        worker = Worker(self._numbers, key, self._folder, items_write, unclaimed, stages_write, results_read, status)
        for fd in (items_read, stages_read, results_write):
            os.close(fd)
        return worker

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what the zygote told: workers forked and ended."""
        while True:
            try:
                data = self.socket.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not data:
                return
            yield json.loads(data)
