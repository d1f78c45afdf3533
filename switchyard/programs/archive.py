"""Archives, read without trust: nothing leaves its folder, nothing is larger than it says, and only plain files are taken."""

import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from switchyard.programs.errors import BadArchive

PIECE = 256 * 1024
LONGEST_PATH, LONGEST_PART = 1000, 255
ZIPS, TARS = (".zip", ".whl", ".pyz", ".jar"), (".tar.gz",)
SUFFIXES = (*ZIPS, *TARS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many files an archive may have, and how many bytes they may have together once they are unpacked."""

    members: int = 10_000
    bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive."""

    path: str
    size: int
    executable: bool = False


class Archive(Protocol):
    """An archive whose members are looked at in their order; each is opened before the next is asked for."""

    def members(self) -> Iterator[Member]:
        """Yield the files; folders are left out. Raises BadArchive."""

    def open(self, member: Member) -> IO[bytes]:
        """Return the bytes of the member that was yielded last; reading them raises BadArchive."""


@contextmanager
def opened(file: IO[bytes], name: str, bounds: Bounds) -> Iterator[Archive]:
    """Give the archive in a file of this name; raises NotAnArchive or BadArchive, also for what is read meanwhile."""
    from switchyard.programs import tars, zips

    if name.endswith(TARS):
        with tars.opened(file, bounds) as tar:
            yield tar
    elif name.endswith(ZIPS):
        with zips.opened(file, bounds) as archive:
            yield archive
    else:
        raise BadArchive(f"{name[-60:]!r} is no name of a program: it must end with one of {', '.join(SUFFIXES)}.")


def checked(archive: Archive, bounds: Bounds) -> Iterator[Member]:
    """Yield the members of an archive, each once its name and size are checked; raises BadArchive."""
    files: set[str] = set()
    folders: set[str] = set()
    left = bounds.bytes
    for member in archive.members():
        require_path(member.path)
        left -= member.size
        if len(files) == bounds.members:
            raise BadArchive(f"The archive has more than {bounds.members:,} files.")
        if left < 0:
            raise BadArchive(f"The archive would be more than {bounds.bytes:,} bytes once it is unpacked.")
        parts = member.path.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if member.path in files or member.path in folders or above & files:
            raise BadArchive(f"The archive has {member.path[:100]!r} twice, or as a file and as a folder.")
        files.add(member.path)
        folders |= above
        yield member


def unpack(archive: Archive, folder: Path, bounds: Bounds) -> None:
    """Write the files of an archive into a new folder; raises BadArchive, and then leaves what it has written."""
    folder.mkdir(parents=True)
    for member in checked(archive, bounds):
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, PIECE)
        if path.stat().st_size != member.size:
            raise BadArchive(f"{member.path[:100]!r} is not as large as the archive says.")
        path.chmod(0o555 if member.executable else 0o444)


def require_path(path: str) -> None:
    """Raise BadArchive for a path that could lead out of a folder, or that not every system has."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path:
        raise BadArchive(f"The archive has a name with odd characters: {path[:100]!r}.")
    if path.startswith("/") or ".." in parts:
        raise BadArchive(f"The archive has a file that would leave its folder: {path[:100]!r}.")
    if any(part in ("", ".") for part in parts):
        raise BadArchive(f"The archive has an odd path: {path[:100]!r}.")
    if len(path.encode()) > LONGEST_PATH or any(len(part.encode()) > LONGEST_PART for part in parts):
        raise BadArchive(f"The archive has a path that is too long: {path[:60]!r}….")


def require_plain(path: str, mode: int) -> None:
    """Raise BadArchive for a link, a device, or whatever else is no plain file; a mode without a kind says nothing."""
    kind = stat.S_IFMT(mode)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadArchive(f"The archive has a link or a device: {path[:100]!r}. Only files and folders are accepted.")
