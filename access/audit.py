"""The audit: one row for each change that a person makes, in the transaction of the change (I13)."""

from typing import Any

from access.identifying import Identity
from access.models import AuditEntry


def record(identity: Identity, action: str, target: object, **details: Any) -> None:
    """Write down a change; call it inside the transaction that makes the change."""
    AuditEntry.objects.create(
        user=identity.user,
        user_name=identity.name,
        via=identity.via,
        action=action,
        target=str(target)[:200],
        details=details,
    )
