"""The files of stages, and the present leader."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now

from artifacts.storage import storage
from database import rows
from jobs.models import Lease


def files_of(stage: int) -> dict[str, Any] | None:
    """Return the files of a stage by path, each as its text or as an object, its program among them; None without a stage."""
    found = rows.fetch(
        "SELECT coalesce(spec -> 'files', '{}')::text, (spec -> 'program')::text FROM jobs_stage WHERE id = %s", [stage]
    )
    if not found:
        return None
    files, program = json.loads(found[0][0]), json.loads(found[0][1] or "null")
    if program is None:
        return dict(files)
    name, unpacked, digest = program["name"], program["unpacked"], program["digest"]
    return {name: {"digest": digest, "size": storage().size(digest), "unpacked": unpacked}, **files}


def program_of(stage: int) -> str | None:
    """Return the digest of the program of a stage."""
    found = rows.fetch("SELECT spec -> 'program' ->> 'digest' FROM jobs_stage WHERE id = %s", [stage])
    return found[0][0] if found else None


@dataclass(frozen=True, slots=True)
class LeaderRow:
    """Who leads, or led last, and since when."""

    holder: str
    epoch: int
    taken_at: datetime | None
    alive: bool
    broker: str = ""

    @property
    def host(self) -> str:
        """Return the machine on which it runs; holders are named after that and their process."""
        return self.holder.rsplit(":", 1)[0]


def leader() -> LeaderRow:
    """Return the holder of the lease, and whether it holds it still by the database's clock."""
    alive = ExpressionWrapper(Q(expires_at__gt=Now()), BooleanField())
    row = Lease.objects.values_list("holder", "epoch", "taken_at", alive, "broker").first()
    return LeaderRow(*row) if row else LeaderRow("", 0, None, alive=False)
