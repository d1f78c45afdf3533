"""The lease: a row, valid by the database's clock. Taking it raises the epoch that fences every write of a leader."""

from django.db import transaction

from database import rows
from nodes import events
from switchyard.leader.lease import LASTS
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.records import LeaseLost


class Deaf(LeaseLost):
    """No message reaches this leader though the broker takes them: the lease was given back."""


def take(holder: str) -> int | None:
    """Take the lease if it is free and return the new epoch; None while another holds it."""
    with transaction.atomic():
        taken = rows.fetch(
            "UPDATE jobs_lease SET holder = %s, epoch = epoch + 1, taken_at = clock_timestamp(), "
            "expires_at = clock_timestamp() + %s * interval '1 second' WHERE expires_at < clock_timestamp() RETURNING epoch",
            [holder, LASTS],
        )
        events.record(Told("lease_taken", f"{holder} leads from now on, in epoch {epoch}.") for (epoch,) in taken)
    return taken[0][0] if taken else None


def renew(epoch: int, broker: str | None = None) -> None:
    """Make the lease last again, and note the state of the broker if it is known; raise LeaseLost if another leads."""
    renewed = rows.fetch(
        "UPDATE jobs_lease SET expires_at = clock_timestamp() + %s * interval '1 second', broker = coalesce(%s, broker) "
        "WHERE epoch = %s RETURNING 1",
        [LASTS, broker, epoch],
    )
    if not renewed:
        raise LeaseLost


def release(epoch: int, broker: str | None = None) -> None:
    """Give the lease back, so that a stand-by need not wait for its end."""
    rows.execute(
        "UPDATE jobs_lease SET expires_at = to_timestamp(0), broker = coalesce(%s, broker) WHERE epoch = %s", [broker, epoch]
    )
