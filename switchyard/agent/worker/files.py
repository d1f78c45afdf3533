"""A job's files in the working folder: a copy that tasks may change. Runs in workers."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

EXECUTABLE = 0o111
#: Bytes of a file that a worker holds; a larger one it copies each time.
HELD = 1 << 20
#: What tells whether a file is as it was written: inode, mode, size, and the two times of its last change.
Nature = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class _File:
    """One file, with the folders that it needs, the outermost first."""

    path: str
    folders: tuple[str, ...]
    mode: int
    #: Its bytes, or where they are if they are many.
    data: bytes | Path


class Files:
    """The files below one folder, which nobody changes; without one, none."""

    def __init__(self, folder: str | None) -> None:
        top = Path(folder or "")
        self._files = [_read(top, path) for path in sorted(top.rglob("*")) if path.is_file()] if folder else []

    def lay_out(self, folder: Path) -> None:
        """Write a copy of each into a folder."""
        for file in self._files:
            _write(file, folder)

    def look(self, folder: Path) -> list[Nature | None]:
        """Return what tells later whether the copies in a folder are as they are now."""
        return [_nature(f"{folder}/{file.path}") for file in self._files]

    def mend(self, folder: Path, natures: Sequence[Nature | None]) -> list[Nature | None]:
        """Write anew what is not as it was; return what tells that from now on."""
        now = self.look(folder)
        if now == natures:
            return now
        for file, before, after in zip(self._files, natures, now, strict=True):
            if before != after:
                (folder / file.path).unlink(missing_ok=True)
                _write(file, folder)
        return self.look(folder)


def _read(top: Path, path: Path) -> _File:
    relative = path.relative_to(top)
    folders = tuple(str(parent) for parent in reversed(relative.parents) if parent.name)
    found = path.stat()
    data = path.read_bytes() if found.st_size <= HELD else path
    return _File(str(relative), folders, 0o755 if found.st_mode & EXECUTABLE else 0o644, data)


def _write(file: _File, folder: Path) -> None:
    for each in file.folders:
        (folder / each).mkdir(exist_ok=True)
    fd = os.open(f"{folder}/{file.path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, file.mode)
    try:
        for piece in _pieces(file.data):
            rest = piece
            while rest:
                rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def _pieces(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, bytes):
        yield data
        return
    with data.open("rb", buffering=0) as file:
        while piece := file.read(HELD):
            yield piece


def _nature(path: str) -> Nature | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns
