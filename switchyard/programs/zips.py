"""Zip archives: also wheels, zipapps and jars."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from switchyard.programs.archive import Bounds, Member, require_plain
from switchyard.programs.errors import BadArchive, NotAnArchive

_END, _END_SIZE, _COMMENT = b"PK\x05\x06", 22, 65535
_WIDE_SIZE, _WIDE = 20, b"PK\x06\x07"
#: Bytes of the directory for one file, about, with a long name.
ENTRY = 46 + 1000
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
ENCRYPTED = 1


class Zip:
    """A zip archive whose directory is in bounds."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._last: zipfile.ZipInfo | None = None

    def members(self) -> Iterator[Member]:
        for info in self._archive.infolist():
            mode = info.external_attr >> 16
            require_plain(info.filename, mode)
            if info.is_dir():
                continue
            if info.flag_bits & ENCRYPTED or info.compress_type not in METHODS:
                raise BadArchive(f"{info.filename[:100]!r} is encrypted, or packed otherwise than by deflate.")
            self._last = info
            yield Member(info.filename, info.file_size, bool(mode & stat.S_IXUSR))

    def open(self, member: Member) -> IO[bytes]:
        assert self._last is not None
        assert self._last.filename == member.path
        return io.BufferedReader(_Checked(self._archive, self._last))


class _Checked(io.RawIOBase):
    """A member, of which errors are ours."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
        self._name, self._left = info.filename, info.file_size
        try:
            self._file = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
            raise self._broken() from error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            piece = self._file.read(len(buffer))
        except (zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
            raise self._broken() from error
        buffer[: len(piece)] = piece
        self._left -= len(piece)
        if not piece and self._left:
            raise self._broken()
        return len(piece)

    def _broken(self) -> BadArchive:
        return BadArchive(f"{self._name[:100]!r} is broken, or not as large as the archive says.")


@contextmanager
def opened(file: IO[bytes], bounds: Bounds) -> Iterator[Zip]:
    """Give a zip archive; raises NotAnArchive or BadArchive."""
    _require_small_directory(file, bounds)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeError) as error:
        raise NotAnArchive(f"This is no zip archive: {error}.") from error
    with archive:
        yield Zip(archive)


def _require_small_directory(file: IO[bytes], bounds: Bounds) -> None:
    """Raise before the directory is read, which zipfile does whole, whatever its size."""
    size = file.seek(0, io.SEEK_END)
    start = file.seek(max(0, size - _END_SIZE - _COMMENT - _WIDE_SIZE))
    tail = file.read()
    file.seek(0)
    at = len(tail) - _END_SIZE if tail[-_END_SIZE:-18] == _END and tail[-2:] == b"\0\0" else tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise NotAnArchive("This is no zip archive: it has no directory.")
    if tail[max(0, at - _WIDE_SIZE) : at].startswith(_WIDE):
        raise BadArchive("The archive is of the kind for more than 4 GiB, or for more than 65,535 files (zip64).")
    members, directory = struct.unpack("<10xHI6x", tail[at : at + _END_SIZE])
    if members > 2 * bounds.members or directory > bounds.members * ENTRY or directory > start + at:
        raise BadArchive(f"The archive has more than {bounds.members:,} files.")
