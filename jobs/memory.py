"""What a leader remembers between rounds. All of it may be lost at any time: a new leader starts without."""

from jobs.measuring import Measures
from jobs.recording import Recorder
from scheduling.plan import Reservation

#: Seconds between writings of why stages wait.
REFUSALS_EVERY = 1.0


class Memory:
    """Measures, reservations, the refusals that were last written, by stage, and figures that are yet to be written."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.recorder = Recorder()
        self.reservations: tuple[Reservation, ...] = ()
        self.refusals: dict[int, str] = {}
        self._seed = 0
        self._refusals_written = 0.0

    def next_seed(self) -> int:
        """Return a number that differs from round to round."""
        self._seed += 1
        return self._seed

    def refusals_due(self, now: float) -> bool:
        """Say whether refusals may be written again, at most once a second."""
        due = now - self._refusals_written >= REFUSALS_EVERY
        if due:
            self._refusals_written = now
        return due
