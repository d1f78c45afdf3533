"""A clock that tests set."""

from datetime import datetime, timedelta

from jobs.leader.clock import ProcessClock


class SetClock(ProcessClock):
    """This process's clock, `ahead` by so many seconds; it stands still at `stopped`. Its date is so much `later`."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.stopped: float | None = None
        self.later = timedelta()

    def monotonic(self) -> float:
        return (super().monotonic() if self.stopped is None else self.stopped) + self.ahead

    def now(self) -> datetime:
        return super().now() + self.later
