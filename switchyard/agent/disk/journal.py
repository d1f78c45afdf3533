"""The journal: the state for a successor. Written before the server is told; survives the process.

Lines of JSON, in order: a worker's own lines about ends, and notes of what was launched, handed to a worker, taken back
from it, returned, put into which report, and shipped. What is written at once, a line or several, ends with its checksum.
The journal is not synced to the disk: a machine that loses power loses the tasks' processes too.

A session goes on only with a journal that is of the same boot and whole to its last byte. A write that fails is undone,
and the end of the line before it is cut off too: what a successor then finds is not whole, and it begins a new session.
As soon as there is space the journal is written anew from memory, and is whole again.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any
from zlib import crc32

import structlog

from switchyard.agent.core.notes import Notes

log = structlog.get_logger()

#: Bytes from which on the journal is written anew, and how many times what counted the last time it must hold.
LARGE = 1 << 20
MOSTLY_OVER = 4
#: Stands between what was written at once and its checksum; no JSON text has one.
MARK = b"\t"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC


class Journal(Notes):
    """An append-only file of lines; its first names the node, the session and the boot of the machine.

    Notes of what is shipped may come from another thread, and until after the end; all else from the agent's own.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self._new = path.with_suffix(".new")
        self._header = header
        self.highest = header["highest"]
        self._fd = -1
        self._size = self._kept = 0
        self._changing = Lock()
        #: Whether something could not be written and is missing.
        self.broken = False
        self.broken = not self._begin([])

    def commit(self) -> None:
        """Replace the journal of before by this one, which now holds all of it that still counts."""
        if self.broken and self._fd < 0:
            self._path.unlink(missing_ok=True)
        else:
            self._new.rename(self._path)

    def rewrite(self, rest: Iterable[Any]) -> None:
        """Begin anew with the lines that tell all of it that still counts, if there is space for them."""
        with self._changing:
            if self._begin(rest):
                self.broken = False
                self.commit()
            else:
                self._kept = self._size

    def _begin(self, rest: Iterable[Any]) -> bool:
        """Begin a new file; say whether there is space for it."""
        lines = b"".join(map(_line, [{**self._header, "highest": self.highest}, *rest]))
        try:
            fd = _begun(self._new, lines)
        except OSError as error:
            if not self.broken:
                log.error("the journal cannot be begun", path=str(self._new), error=str(error))
            return False
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._kept = fd, len(lines), len(lines)
        return True

    @property
    def is_large(self) -> bool:
        """Say whether it is time to write it anew."""
        return self._size > max(LARGE, MOSTLY_OVER * self._kept)

    def write(self, lines: bytes) -> None:
        """Append whole lines."""
        self._append(_sealed(lines[:-1]))

    def note(self, *values: Any) -> None:
        self._append(b"".join(map(_line, values)))

    def _append(self, lines: bytes) -> None:
        with self._changing:
            if self.broken or self._fd < 0:
                return
            try:
                _write(self._fd, lines)
            except OSError as error:
                log.error("the journal cannot be written; it is begun anew later", path=str(self._path), error=str(error))
                self.broken = True
                with suppress(OSError):
                    os.ftruncate(self._fd, self._size - 1)
            else:
                self._size += len(lines)

    def close(self) -> None:
        with self._changing:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1


def read(path: Path) -> tuple[list[Any], bool]:
    """Return what the lines of a journal say up to the first bad one, and whether it is whole."""
    if not path.exists():
        return [], False
    *lines, rest = path.read_bytes().split(b"\n")
    said: list[Any] = []
    block: list[bytes] = []
    for line in [*lines, rest] if rest else lines:
        text, mark, checksum = line.rpartition(MARK)
        block.append(text if mark else line)
        if mark:
            try:
                if checksum != _checksum(b"\n".join(block)):
                    return said, False
                said.extend([json.loads(each) for each in block])
            except ValueError:
                return said, False
            block = []
    return said, bool(said) and not rest and not block


def _line(value: Any) -> bytes:
    return _sealed(json.dumps(value, separators=(",", ":")).encode())


def _sealed(text: bytes) -> bytes:
    return text + MARK + _checksum(text) + b"\n"


def _checksum(text: bytes) -> bytes:
    return b"%08x" % crc32(text)


def _begun(path: Path, lines: bytes) -> int:
    """Begin a file with these lines and return its descriptor; leave nothing behind if there is no space for them."""
    fd = os.open(path, _FLAGS, 0o600)
    try:
        _write(fd, lines)
    except OSError:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd


def _write(fd: int, lines: bytes) -> None:
    while lines:
        lines = lines[os.write(fd, lines) :]
