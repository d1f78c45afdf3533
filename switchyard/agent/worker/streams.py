"""Standard output and error of a worker, which its tasks may close, replace and leave to threads."""

import _thread
import io
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar


class Buffer(io.BufferedWriter):
    """What is below a stream: bytes that threads of earlier tasks write go nowhere too."""

    def write(self, data: Any, /) -> int:
        if Stream.strangers and threading.get_native_id() in Stream.strangers:
            return memoryview(data).nbytes
        return super().write(data)


class Stream(io.TextIOWrapper):
    """One of them. What threads of earlier tasks write goes nowhere: it would be in another task's log."""

    #: The threads that earlier tasks have left.
    strangers: ClassVar[set[int]] = set()

    def write(self, text: str, /) -> int:
        if self.strangers and threading.get_native_id() in self.strangers:
            return len(text)
        return super().write(text)


class Streams:
    """Both, on files that the agent reads."""

    def __init__(self, stdout: int, stderr: int) -> None:
        self._files = stdout, stderr
        self.open()

    def open(self) -> None:
        """Point standard output and error at these files; again, if a task changed that."""
        self._stdout, self._stderr = (_open(file, fd) for fd, file in enumerate(self._files, 1))
        sys.stdout = sys.__stdout__ = self._stdout  # type: ignore[misc]  # final for others
        sys.stderr = sys.__stderr__ = self._stderr  # type: ignore[misc]

    def settle(self) -> None:
        """Write what is left in buffers, make both as they were, and let the threads that are left write nowhere."""
        threads = _thread._count()  # The module threading does not know all of them
        if threads or Stream.strangers:
            Stream.strangers = _others() if threads else set()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
            whole = sys.stdout is self._stdout and sys.stderr is self._stderr
        except Exception:  # A task may have put anything there.
            whole = False
        if not whole:
            for stream in (self._stdout, self._stderr):
                with suppress(ValueError, OSError):
                    stream.flush()
            self.open()

    @property
    def muted(self) -> bool:
        """Say whether some threads write nowhere."""
        return bool(Stream.strangers)


def _others() -> set[int]:
    """Return all threads but this one, by the numbers that the kernel gives them."""
    return {int(path.name) for path in Path("/proc/self/task").iterdir()} - {threading.get_native_id()}


def _open(file: int, fd: int) -> Stream:
    os.dup2(file, fd)
    raw = io.FileIO(fd, "w", closefd=False)
    return Stream(Buffer(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)
