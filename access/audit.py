"""The audit: one row for each change that a person makes, in the transaction of the change (I13)."""

import json
from typing import Any

from access.identifying import Identity
from database import rows


def record(identity: Identity, action: str, target: object, **details: Any) -> None:
    """Write down a change; call it inside the transaction that makes the change."""
    rows.execute(
        "INSERT INTO access_auditentry (at, user_id, user_name, via, action, target, details) "
        "VALUES (now(), %s, %s, %s, %s, %s, %s::jsonb)",
        [identity.user and identity.user.pk, identity.name, identity.via, action, str(target)[:200], json.dumps(details)],
    )
