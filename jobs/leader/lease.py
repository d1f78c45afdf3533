"""Who leads: a lease row judged by the database's clock. Taking it raises the epoch that fences every write of a leader."""

from django.db import transaction

from database import rows
from nodes import events

#: Seconds that a lease lasts, and between renewals.
LASTS = 10
RENEWED_EVERY = 3


class LeaseLost(Exception):
    """Another worker leads by now."""


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
        events.record(events.Told("lease_taken", f"{holder} leads from now on, in epoch {epoch}.") for (epoch,) in taken)
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


def check(epoch: int) -> None:
    """Hold the lease row for the rest of this transaction, or raise LeaseLost: nobody can take over while it is held."""
    ask(epoch)()


def ask(epoch: int) -> rows.Answer[float]:
    """Check as `check` does, when the answer is taken; return the transaction's time in seconds since the epoch."""
    held = rows.execute("SELECT extract(epoch FROM now())::float8 FROM jobs_lease WHERE epoch = %s FOR SHARE", [epoch])

    def answer() -> float:
        found = held.fetchall()
        if not found:
            raise LeaseLost
        now: float = found[0][0]
        return now

    return answer
