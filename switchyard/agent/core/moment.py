"""The time of the present event."""

from dataclasses import dataclass


@dataclass(slots=True)
class Moment:
    """Seconds of the monotonic clock; the shell sets them with every event."""

    now: float = 0.0

    @property
    def microseconds(self) -> int:
        return round(self.now * 1e6)
