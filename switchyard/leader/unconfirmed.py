"""The unconfirmed commands of one session, and those to send again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

#: Seconds after which an unconfirmed assignment is sent again; they double with the time that nothing was confirmed.
UNCONFIRMED = 1.0
LONGEST = 30.0


@dataclass(slots=True)
class Sent:
    """Command numbers with the time of sending, their assignments and bytes; the stages that the session knows.

    `waiting_since` is when the first command that launches was sent since the session last confirmed one.
    """

    stages: set[int] = field(default_factory=set)
    unconfirmed: dict[int, tuple[float, list[int], int]] = field(default_factory=dict)
    waiting_since: float | None = None

    @property
    def size(self) -> int:
        """About how many bytes the commands take that the session has not confirmed."""
        return sum(size for _, _, size in self.unconfirmed.values())

    def add(self, number: int, assignments: list[int], size: int, now: float) -> None:
        """Note a command that launches."""
        self.unconfirmed[number] = (now, assignments, size)
        self.waiting_since = now if self.waiting_since is None else self.waiting_since

    def confirm(self, numbers: Iterable[int], now: float) -> None:
        """Note the commands that the session has obeyed; any of them says that it listens."""
        for number in numbers:
            self.unconfirmed.pop(number, None)
            self.waiting_since = now
        self.settle()

    def settle(self) -> None:
        """Wait for nothing if nothing is unconfirmed."""
        if not self.unconfirmed:
            self.waiting_since = None

    def late(self, now: float) -> list[int]:
        """Return the numbers of the commands that are to be sent again."""
        since = now if self.waiting_since is None else self.waiting_since
        return [
            number for number, (at, _, _) in self.unconfirmed.items() if now - at > min(max(at - since, UNCONFIRMED), LONGEST)
        ]

    def take(self, numbers: Iterable[int]) -> list[int]:
        """Forget these commands; return their assignments."""
        return [assignment for number in numbers for assignment in self.unconfirmed.pop(number)[1]]
