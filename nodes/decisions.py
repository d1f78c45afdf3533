"""History of decisions about nodes and the scheduler: value, time, person, reason.

Only what is saved through a model is remembered; the statements of the main path write rows past it, and so do agents.
"""

from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.http import HttpRequest
from simple_history.models import HistoricalRecords

from access.identifying import identify
from access.reasons import LONGEST


def _who(request: HttpRequest | None, **_: Any) -> User | None:
    identity = identify(request) if request else None
    return identity.user if identity else None


class History(HistoricalRecords):  # type: ignore[misc]  # untyped
    """The history of a model, by the identity of the request that makes a change."""

    def __init__(self, **options: Any) -> None:
        reason = models.CharField(max_length=LONGEST, null=True)
        super().__init__(get_user=_who, history_change_reason_field=reason, **options)


def give_reason(row: models.Model, reason: str) -> None:
    """Have the next save of a row remembered with this reason."""
    row._change_reason = reason or None  # type: ignore[attr-defined]
