"""Virtual time: actions in the order in which they are due, and among those of one moment in the order of asking."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Action = Callable[[], None]


class Timeline:
    """Runs actions one after another; time passes only between them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._due: list[tuple[float, int, Action]] = []
        self._sequence = count()

    def at(self, when: float, action: Action) -> None:
        """Run an action at a time; in the past means next."""
        heappush(self._due, (max(when, self.now), next(self._sequence), action))

    def after(self, seconds: float, action: Action) -> None:
        """Run an action so many seconds from now."""
        self.at(self.now + seconds, action)

    def step(self) -> bool:
        """Run the next action; return whether there was one."""
        if not self._due:
            return False
        self.now, _, action = heappop(self._due)
        self.steps += 1
        action()
        return True
