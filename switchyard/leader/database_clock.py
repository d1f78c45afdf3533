"""Keep timeouts right when the database's clock is set: the leader counts how long nodes are silent and retries wait."""

from collections.abc import Callable

from switchyard.leader.ports import Clock

#: Seconds by which two clocks may drift apart between two looks without being set.
DRIFT = 2.0


class DatabaseClock:
    """Compares the database's clock with the leader's own, and moves the times that are waited for along with it.

    `read` returns the database's time, in seconds; `move` is given by how many of them it was set.
    """

    def __init__(self, clock: Clock, read: Callable[[], float], move: Callable[[float], None]) -> None:
        self._clock = clock
        self._read = read
        self._move = move
        self._last: tuple[float, float] | None = None

    def follow(self) -> None:
        """Look by how much the database's clock was set since the last look."""
        before = self._clock.monotonic()
        now = self._read()
        took = self._clock.monotonic() - before
        last, self._last = self._last, (now, before)
        step = now - last[0] - (before - last[1]) if last else 0.0
        if abs(step) > DRIFT + took:
            self._move(round(step, 3))
