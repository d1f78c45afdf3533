"""Downloads: a file appears whole and verified, and one that broke off goes on."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from switchyard.errors import ServerFailed, Unreachable

#: Seconds for which a download is tried without that anything comes, and between tries.
PATIENCE, PAUSE = 60.0, 1.0

Open = Callable[[int], AbstractContextManager[Iterator[bytes]]]


def download(open_at: Open, target: Path, digest: str, size: int, came: Callable[[int], None]) -> None:
    """Write what `open_at` gives from an offset on to a path; raises Unreachable, ServerFailed or Refused."""
    if target.is_file() and target.stat().st_size == size and _digest(target) == digest:
        came(size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{digest[:12]}.part")
    offset = min(part.stat().st_size, size) if part.exists() else 0
    came(offset)
    deadline = time.monotonic() + PATIENCE
    while offset < size or not part.exists():
        try:
            with open_at(offset) as pieces, part.open("ab") as file:
                for piece in pieces:
                    file.write(piece)
                    came(len(piece))
        except (Unreachable, ServerFailed) as error:
            if not error.passing or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        if part.stat().st_size > offset:
            offset, deadline = part.stat().st_size, time.monotonic() + PATIENCE
    if _digest(part) != digest:
        part.unlink()
        raise ServerFailed(f"What came is not {target.name}: its SHA-256 is another. It was removed; try again.")
    part.replace(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
