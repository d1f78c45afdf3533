"""Idempotency of submissions: a key always gives the same job, and is refused with another description."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jobs.models import Job
from switchyard.scheduling.errors import SwitchyardError


class KeyReused(SwitchyardError):
    """This Idempotency-Key came with another description before; a new job needs a new key."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """An idempotency key, and the digest of what it came with."""

    key: str
    digest: str


def made_before(owner: int | None, repeat: Repeat) -> UUID | None:
    """Return the job that an owner made with this key, or None; raise KeyReused if it came with something else."""
    found = Job.objects.filter(owner_id=owner, idempotency_key=repeat.key).values_list("id", "description_digest").first()
    if found is None:
        return None
    if found[1] != repeat.digest:
        raise KeyReused
    return found[0]


def digest(described: dict[str, Any]) -> str:
    """Return what two descriptions have in common that say the same, in whatever format and order."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
