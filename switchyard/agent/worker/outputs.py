"""The files that a task hands on: found in its working folder when it has succeeded, and put into the agent's cache.

Runs in workers.
"""

import glob
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchyard.agent.disk import cached
from switchyard.scheduling.outputs import LONGEST_PATH, MOST_FILES, fixed, is_pattern


class BadOutput(Exception):
    """What a task was to hand on is not what can be handed on; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a stage's tasks hand on, by name: a path, or a pattern; each file has up to so many bytes."""

    patterns: Mapping[str, str]
    largest: int

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def prepare(self, folder: Path) -> None:
        """Make the folders that paths and patterns name."""
        for pattern in self.patterns.values():
            (folder / fixed(pattern)).mkdir(parents=True, exist_ok=True)

    def path(self, folder: Path, name: str) -> Path:
        """Return where to write an output: the path of its file, or of the folder where its pattern looks for files."""
        if name not in self.patterns:
            known = ", ".join(self.patterns) or "none"
            raise KeyError(f"{name!r} is no output of this stage; its outputs are: {known}")
        pattern = self.patterns[name]
        return folder / (fixed(pattern) if is_pattern(pattern) else pattern)

    def take(self, folder: Path, data: Path) -> list[list[Any]]:
        """Move what a task has written into the cache; return it as lifecycle.ends.File has it. Raises BadOutput, OSError."""
        found = [(name, path) for name, pattern in self.patterns.items() for path in _found(folder, name, pattern)]
        if len(found) > MOST_FILES:
            raise BadOutput(f"outputs: {len(found):,} files; up to {MOST_FILES:,} of one task are kept")
        sizes = [_checked(folder, name, path, self.largest) for name, path in found]
        return [
            _put(folder / path, data, [name, str(Path(path).relative_to(fixed(self.patterns[name])))], size)
            for (name, path), size in zip(found, sizes, strict=True)
        ]


def _found(folder: Path, name: str, pattern: str) -> Iterator[str]:
    if not is_pattern(pattern):
        if not os.path.lexists(folder / pattern):
            raise BadOutput(f"output {name}: {pattern} is missing")
        yield pattern
        return
    for path in sorted(glob.iglob(pattern, root_dir=folder, recursive=True)):  # noqa: PTH207 - ** does not follow links in Path
        if not os.path.isdir(folder / path):  # noqa: PTH112 - there may be very many
            yield path


def _checked(folder: Path, name: str, path: str, largest: int) -> int:
    """Return the size of a file that can be handed on."""
    if len(path) > LONGEST_PATH or not path.isprintable():
        raise BadOutput(f"output {name}: {path[:60]!r} must be printable text of up to {LONGEST_PATH} characters")
    top, real = os.path.realpath(folder), os.path.realpath(folder / path)
    if not real.startswith(f"{top}/"):
        raise BadOutput(f"output {name}: {path} is a link that leads out of the working folder, to {real}")
    try:
        found = Path(real).stat()
    except FileNotFoundError:
        raise BadOutput(f"output {name}: {path} is a link to what is not there") from None
    if stat.S_ISDIR(found.st_mode):
        raise BadOutput(f"output {name}: {path} is a folder; name its files, such as {path}/*")
    if not stat.S_ISREG(found.st_mode):
        raise BadOutput(f"output {name}: {path} is no file with contents")
    if found.st_size > largest:
        raise BadOutput(f"output {name}: {path} has {found.st_size:,} bytes; up to {largest:,} are kept of one file")
    return found.st_size


def _put(path: Path, data: Path, name: list[str], size: int) -> list[Any]:
    found = path.stat()
    executable = bool(found.st_mode & 0o111)
    aside = _copied(path, data) if path.is_symlink() or found.st_nlink > 1 or not _own(path) else None
    path = aside or path
    try:
        with path.open("rb", buffering=0) as file:
            digest = cached.digest_of(iter(lambda: file.read(cached.PIECE), b""))
        place = cached.place(data, digest, executable=executable)
        if not cached.use(place, size, executable=executable):
            cached.seal(path, executable=executable)
            path.rename(place)
    finally:
        if aside:
            aside.unlink(missing_ok=True)
    return [*name, digest, size, executable]


def _own(path: Path) -> bool:
    """Return whether the file can be moved out of its folder, which a task may have made read-only."""
    return os.access(path.parent, os.W_OK)


def _copied(path: Path, data: Path) -> Path:
    """Copy a file that something else has too."""
    aside = data / cached.NAME / f".{secrets.token_hex(8)}"
    try:
        with path.open("rb", buffering=0) as source, aside.open("xb") as target:
            while piece := source.read(cached.PIECE):
                target.write(piece)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    return aside
