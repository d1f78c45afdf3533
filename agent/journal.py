"""The journal: what a successor must know if this agent dies. Written before anything is told; survives the process.

Lines of JSON, in order: a worker's own lines about ends, and notes of what was launched, handed to a worker, taken back
from it, returned, put into which report, and shipped. It is not synced to the disk: a machine that loses power loses the
tasks' processes too, and a changed boot id makes everything unreported count as lost.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

from agent.output import Log, Name
from scheduling.indexes import IndexSet

#: Bytes from which on the journal is written anew, and how many times what counted the last time it must hold.
LARGE = 1 << 20
MOSTLY_OVER = 4
LEFT = b'{"left":true}\n'


class Journal:
    """An append-only file of lines; its first names the node, the session and the boot of the machine.

    Notes of what is shipped may come from another thread, and until after the end; all else from the agent's own.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path = path
        self._header = header
        self._highest = header["highest"]
        self._fd = -1
        self._changing = Lock()
        self._begin([])

    def commit(self) -> None:
        """Replace the journal of before by this one, which now holds all of it that still counts."""
        self._path.with_suffix(".new").rename(self._path)

    def rewrite(self, rest: Iterable[Any]) -> None:
        """Begin anew with the lines that tell all of it that still counts."""
        with self._changing:
            self._begin(rest)
            self.commit()

    def _begin(self, rest: Iterable[Any]) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(self._path.with_suffix(".new"), flags, 0o600)
        self._size = 0
        self.write(b"".join(map(_line, [{**self._header, "highest": self._highest}, *rest])))
        self._kept = self._size

    @property
    def is_large(self) -> bool:
        """Say whether it is time to write it anew."""
        return self._size > max(LARGE, MOSTLY_OVER * self._kept)

    def write(self, lines: bytes) -> None:
        """Append whole lines."""
        self._size += len(lines)
        os.write(self._fd, lines)

    def ended(self, end: dict[str, Any]) -> None:
        """Note an end that no worker has written."""
        self.write(_line(end))

    def launched(self, command: int, entries: Iterable[tuple[int, int, int, IndexSet]]) -> None:
        """Note what a command launched, each as number of the entry, stage, attempt and indexes."""
        self._highest = command
        self.write(b"".join(_line({"launched": [command, *entry, indexes.to_json()]}) for *entry, indexes in entries))

    def returned(self, stage: int, attempt: int, indexes: IndexSet) -> None:
        self.write(_line({"returned": [stage, attempt, indexes.to_json()]}))

    def handed(self, worker: int, stage: int, attempt: int, indexes: IndexSet) -> None:
        self.write(_line({"handed": [worker, stage, attempt, indexes.to_json()]}))

    def taken_back(self, worker: int, count: int) -> None:
        self.write(_line({"back": [worker, count]}))

    def reported(self, number: int) -> None:
        """Note that all of before is in reports up to this number, or waits for an upload."""
        self.write(b'{"reported":%d}\n' % number)

    def left(self) -> None:
        """Note that nothing of the session is left."""
        self.write(LEFT)

    def known(self, entries: IndexSet) -> None:
        """Note the numbers of entries that were launched before."""
        self.write(_line({"entries": entries.to_json()}))

    def inherited(self, log: Log) -> None:
        """Note what a predecessor has not shipped."""
        self.write(_line(line_of_log(log)))

    def shipped(self, name: Name) -> None:
        """Note that there is nothing more of a log to ship; in any thread."""
        with self._changing:
            if self._fd >= 0:
                self.write(_line({"shipped": [*name]}))

    def close(self) -> None:
        with self._changing:
            os.close(self._fd)
            self._fd = -1


def line_of_log(log: Log) -> dict[str, Any]:
    """Return what is noted of a log that has yet to be shipped."""
    return {"log": [*log.name, str(log.path), log.start, log.end]}


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
