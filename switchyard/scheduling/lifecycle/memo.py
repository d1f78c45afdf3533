"""What rounds remember from each other. All of it may be lost at any time: a new leader starts without."""

from uuid import UUID

from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.rows import Front
from switchyard.scheduling.plan import Reservation

#: Stages that a round looks at, in their order, while all room is taken; and at the most, of those that have their turn.
FRONT, STAGES = 100, 2000
#: Seconds between looks at all of them, so that each is told why it waits.
ALL_EVERY = 10.0
#: Seconds between writings of why stages wait.
REFUSALS_EVERY = 1.0


class Memo:
    """Measures, reservations, and the refusals that were last written, by stage."""

    def __init__(self) -> None:
        self.measures = Measures()
        self.reservations: tuple[Reservation, ...] = ()
        self.refusals: dict[int, str] = {}
        #: Jobs of which more could follow than the last round placed.
        self.followed: set[UUID] = set()
        #: What the last round looked at first.
        self.fronts: tuple[Front, ...] = (Front(),)
        self._seed = 0
        self._refusals_written = self._all_seen = 0.0
        self._spare = False

    def next_seed(self) -> int:
        """Return a number that differs from round to round."""
        self._seed += 1
        return self._seed

    def stages_to_look_at(self, now: float) -> int:
        """Return how many stages the next round looks at: few, unless there was room left after those."""
        if not self._spare and now - self._all_seen < ALL_EVERY:
            return FRONT
        self._all_seen = now
        return STAGES

    def looked_at(self, count: int, limit: int, *, spare: bool) -> bool:
        """Note what a round left; say whether there is both more to place and room for it."""
        self._spare = spare and count >= FRONT
        return self._spare and limit == FRONT

    def refusals_due(self, now: float) -> bool:
        """Say whether refusals may be written again, at most once a second."""
        due = now - self._refusals_written >= REFUSALS_EVERY
        if due:
            self._refusals_written = now
        return due
