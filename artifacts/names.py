"""Names of artifacts: their SHA-256 in lower-case hexadecimal, and nothing else."""

import re

from artifacts.errors import NotADigest

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(name: str) -> bool:
    return bool(_DIGEST.fullmatch(name))


def require_digest(name: str) -> None:
    if not is_digest(name):
        raise NotADigest
