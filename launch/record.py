"""Record: the processes of a stack, on disk, so that another command can stop exactly those.

A lock on the folder says whether a supervisor lives; the record says what it started, even after its death.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from launch.processes import Identity, Running

FILE = "processes.json"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Record:
    """One stack as it runs: its URL, its supervisor and what that started."""

    url: str
    supervisor: Running
    processes: tuple[Running, ...]


def write(run: Path, record: Record) -> None:
    """Replace the record in one step."""
    aside = run / f"{FILE}.new"
    aside.write_text(json.dumps(asdict(record), indent=2))
    aside.rename(run / FILE)


def read(run: Path) -> Record | None:
    """Read the record that the last supervisor left here, if any."""
    file = run / FILE
    if not file.exists():
        return None
    fields = json.loads(file.read_text())
    return Record(fields["url"], _running(fields["supervisor"]), tuple(map(_running, fields["processes"])))


def forget(run: Path) -> None:
    """Remove the record of a stack that has stopped."""
    (run / FILE).unlink(missing_ok=True)


def lock(run: Path) -> int | None:
    """Take the folder's lock for the life of this process (or of the descriptor), or None if it is taken."""
    descriptor = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _running(fields: dict[str, Any]) -> Running:
    return Running(**fields | {"identity": Identity(**fields["identity"])})
