"""What the leader needs of its surroundings."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The leader's own clock; that of the database is asked with the lease."""

    def monotonic(self) -> float:
        """Return seconds that only grow, whatever the time of day is set to."""

    def now(self) -> datetime:
        """Return the time of day."""
