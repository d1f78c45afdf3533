"""The clock of this process: nothing else of the leader reads one."""

import time
from datetime import datetime

from django.utils import timezone


class ProcessClock:
    """The clocks of the operating system."""

    def monotonic(self) -> float:
        """Return seconds that only grow, whatever the time of day is set to."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the time of day."""
        return timezone.now()


CLOCK = ProcessClock()
