"""The lease in a leader's transaction: nobody can take it before the transaction ends."""

from database import rows
from switchyard.scheduling.lifecycle.records import LeaseLost


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
