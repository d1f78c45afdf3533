"""The secret of an agent: it proves that an agent is the successor of the last registered one (nodes.generations).

Each process draws one, and keeps it before it asks: the server may know it though its answer was lost. In the file stand the
last one that was answered, and the one that was not. It keeps its size, so that a full disk does not matter.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

LENGTH = 43


class Secret:
    """The secrets in a data folder. Where they cannot be kept, a successor is a stranger to the server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last, asked = _read(path)
        self.own = asked or secrets.token_urlsafe()
        self._keep(self.own)

    def answered(self) -> None:
        """Note that the server knows the own one: nobody asks with the last one any more."""
        self.last = self.own
        self._keep("")

    def _keep(self, asked: str) -> None:
        with suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, f"{self.last:{LENGTH}}\n{asked:{LENGTH}}\n".encode())
            finally:
                os.close(fd)


def _read(path: Path) -> tuple[str, str]:
    """Return the last secret, and the one that was asked with; empty for none, or for what a power cut left."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return "", ""
    lines = [line.strip() for line in text.splitlines()]
    return (lines[0], lines[1]) if [len(line) for line in lines] in ([0, LENGTH], [LENGTH, 0], [LENGTH, LENGTH]) else ("", "")
