"""Manifests of savepoints: each a file in a folder of its own, below folders that are allowed."""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings

from switchyard.scheduling.errors import SwitchyardError

NAME = "_metadata"
#: Bytes of a path.
LONGEST = 1000


class BadLocation(SwitchyardError):
    """A path names no place for savepoints; the text says why."""


def place(directory: str | None, job: UUID) -> str:
    """Return a new location for a savepoint of a job, in this directory if one is given; raises BadLocation."""
    return str(found(directory or str(settings.SAVEPOINT_FOLDERS[0])) / f"savepoint-{job.hex[:6]}-{secrets.token_hex(6)}")


def found(path: str) -> Path:
    """Return where a path or a file URI leads, as it is on the disk; raises BadLocation outside of the allowed folders."""
    parts = urlsplit(path) if path.startswith("file:") else None
    plain = unquote(parts.path) if parts and not parts.netloc else path
    if "\0" in plain or len(plain.encode(errors="replace")) > LONGEST or not plain.startswith("/"):
        raise BadLocation(f"{path!r:.200} is no absolute path and no file URI.")
    at = Path(plain).resolve()
    if not any(at.is_relative_to(folder.resolve()) for folder in settings.SAVEPOINT_FOLDERS):
        allowed = ", ".join(map(str, settings.SAVEPOINT_FOLDERS))
        raise BadLocation(f"{plain:.200} is outside of the folders for savepoints: {allowed}.")
    return at


def write(location: str, text: bytes) -> None:
    """Write a manifest as a whole or not at all; raises OSError."""
    folder = Path(location)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = folder / f"{NAME}.new"
    with aside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(folder / NAME)
    for each in (folder, folder.parent):
        descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(location: str) -> bytes:
    """Return a manifest; raises OSError."""
    return (Path(location) / NAME).read_bytes()


def remove(location: str) -> None:
    """Remove a manifest, if it is there, with its folder."""
    with suppress(FileNotFoundError):
        shutil.rmtree(location)
