"""The journal: what a successor must know if this agent dies. Written before anything is told; survives the process.

It is not synced to the disk: a machine that loses power loses the tasks' processes too, and a changed boot id makes
everything unreported count as lost.
"""

import os
from pathlib import Path


class Journal:
    """An append-only file of lines."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, lines: bytes) -> None:
        """Append whole lines."""
        os.write(self._fd, lines)
