"""Credentials: the secrets of one stack, in one file that only its owner reads.

The admin's password is not among them: it is printed once, by the run that made it.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "credentials.json"


@dataclass(slots=True)
class Credentials:
    """What the processes of a stack identify themselves with; `token` is for people and their tools."""

    secret_key: str = ""
    redis_password: str = ""
    token: str = ""
    node_token: str = ""


def load(data: Path) -> Credentials:
    """Read a stack's secrets, drawing those that need nobody's consent when the stack is new."""
    file = data / FILE
    known = Credentials(**json.loads(file.read_text())) if file.exists() else Credentials()
    known.secret_key = known.secret_key or secrets.token_urlsafe(48)
    known.redis_password = known.redis_password or secrets.token_urlsafe(32)
    return known


def save(data: Path, credentials: Credentials) -> None:
    """Write a stack's secrets whole or not at all."""
    aside = data / f"{FILE}.new"
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(credentials), file, indent=2)
    aside.rename(data / FILE)
