"""Artifacts: bytes by their SHA-256 digest, in a folder. Written once, never changed, checked when written."""

import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings


class WrongDigest(ValueError):
    """The bytes do not have the digest under which they were sent."""


class Storage:
    """A folder of artifacts, named by their digests alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, digest: str, data: bytes) -> None:
        """Store bytes whole or not at all; raises WrongDigest."""
        if sha256(data).hexdigest() != digest:
            raise WrongDigest(digest)
        path = self._path(digest)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        os.replace(file.name, path)

    def read(self, digest: str) -> bytes:
        """Return the bytes of a digest; raises FileNotFoundError."""
        return self._path(digest).read_bytes()

    def _path(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise FileNotFoundError(digest)
        return self._folder / digest[:2] / digest


@cache
def storage() -> Storage:
    """Return the storage of this installation."""
    return Storage(Path(settings.DATA_DIR) / "artifacts")
