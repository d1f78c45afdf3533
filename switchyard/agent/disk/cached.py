"""Files in an agent's cache: one for each digest, twice if it is also executable. Agent and workers put them there.

Nobody changes them: tasks are given links. One that was changed all the same is known by its mode, size or time.
"""

import hashlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

NAME = "cache"
#: Bytes that are held at a time.
PIECE = 256 * 1024
#: When the files were changed last, they say (seconds since the epoch); when they were read last is when they were used.
CHANGED = 1_000_000_000


def place(data: Path, digest: str, *, executable: bool) -> Path:
    """Return where a file is in the cache of an agent's data folder."""
    return data / NAME / (f"{digest}.x" if executable else digest)


def handed(data: Path, stage: int) -> Path:
    """Return where links to the files stand that a stage is handed."""
    return data / "inputs" / str(stage) / "files"


def mode(*, executable: bool) -> int:
    return 0o555 if executable else 0o444


def use(path: Path, size: int, *, executable: bool) -> bool:
    """Note that a file is used; return whether it is there, and as it was put there."""
    try:
        found = path.lstat()
        if not is_whole(found, size, executable=executable):
            return False
        os.utime(path, (time.time(), CHANGED))
    except FileNotFoundError:
        return False
    return True


def is_whole(found: os.stat_result, size: int, *, executable: bool) -> bool:
    as_put = (found.st_size, stat.S_IMODE(found.st_mode), int(found.st_mtime)) == (size, mode(executable=executable), CHANGED)
    return as_put and stat.S_ISREG(found.st_mode)


def seal(path: Path, *, executable: bool) -> None:
    """Make a file read-only, and mark it as unchanged."""
    path.chmod(mode(executable=executable))
    os.utime(path, (time.time(), CHANGED))


def digest_of(pieces: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()
