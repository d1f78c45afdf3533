"""Tar archives, packed by gzip."""

import gzip
import stat
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import IO, Any

from switchyard.programs.archive import PIECE, Bounds, Member
from switchyard.programs.errors import BadArchive, NotAnArchive

#: Bytes of an archive for one file beside its contents: headers, and padding.
HEADERS = 4096
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError)


class Tar:
    """A tar archive that is read from its beginning to its end."""

    def __init__(self, archive: tarfile.TarFile, most: int) -> None:
        self._archive = archive
        self._most = most
        self._last: tarfile.TarInfo | None = None

    def members(self) -> Iterator[Member]:
        try:
            for number in count():
                info = self._archive.next()
                if info is None:
                    return
                if number > self._most:
                    raise BadArchive(f"The archive has more than {self._most:,} files and folders.")
                # tarfile would keep them all.
                self._archive.members.clear()  # type: ignore[attr-defined]
                if info.isdir():
                    continue
                if not info.isreg() or info.issparse():
                    raise BadArchive(f"The archive has a link or a device: {info.name[:100]!r}. Only files are accepted.")
                self._last = info
                yield Member(info.name.removeprefix("./"), info.size, bool(info.mode & stat.S_IXUSR))
        except _BROKEN as error:
            raise BadArchive(f"The archive is broken: {error}.") from error

    def open(self, member: Member) -> IO[bytes]:
        assert self._last is not None
        assert self._last.size == member.size
        found = self._archive.extractfile(self._last)
        assert found is not None, "it is a plain file"
        return found


class _Unpacked:
    """What is in a gzip file, up to so many bytes, and never much of it at once."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = gzip.GzipFile(fileobj=file)
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 4 * PIECE:
            raise BadArchive("The archive has a header of odd size.")
        piece = self._file.read(size)
        self._require(self._file.tell())
        return piece

    def seek(self, position: int) -> int:
        self._require(position)
        return self._file.seek(position)

    def tell(self) -> int:
        return self._file.tell()

    def _require(self, position: int) -> None:
        if position > self._most:
            raise BadArchive("The archive is larger once it is unpacked than is accepted.")


@contextmanager
def opened(file: IO[bytes], bounds: Bounds) -> Iterator[Tar]:
    """Give a tar archive; raises NotAnArchive or BadArchive."""
    unpacked: Any = _Unpacked(file, bounds.bytes + bounds.members * HEADERS)
    try:
        archive = tarfile.open(fileobj=unpacked, mode="r:")  # noqa: SIM115  closed below
    except _BROKEN as error:
        raise NotAnArchive("This is no tar archive that is packed by gzip.") from error
    with archive:
        try:
            yield Tar(archive, 2 * bounds.members)
        except _BROKEN as error:
            raise BadArchive(f"The archive is broken: {error}.") from error
