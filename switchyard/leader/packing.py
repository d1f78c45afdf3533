"""Divide the commands of one session into messages of bounded size."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from switchyard.messaging.messages import Command, Launch

#: Bytes, about, of one command: as a message, which is a third longer, it stays under 1 MiB.
FULL = 700_000
#: Bytes of a message, about, for an entry, or for what is asked back of one; for a range of tasks; for a resource.
ENTRY, RANGE, RESOURCE = 100, 24, 40


@dataclass(slots=True)
class Packed:
    """One command, about how many bytes it takes, and the assignments that it launches."""

    command: Command
    size: int
    assignments: list[int]


class Packer:
    """Fills commands; `begin` makes the next one."""

    def __init__(self, begin: Callable[[], Command]) -> None:
        self._begin = begin
        self.packed = [self._next()]

    @property
    def size(self) -> int:
        """About how many bytes all commands take."""
        return sum(packed.size for packed in self.packed)

    def launch(self, assignment: int, launch: Launch, described: dict[str, Any] | None, size: int) -> None:
        """Add an entry, with the description of its stage and the bytes that this takes, if the session needs it."""
        ranges = len(launch.ranges) + len(launch.after)
        packed = self._room(ENTRY + RANGE * ranges + RESOURCE * len(launch.demand) + size)
        packed.command.launches.append(launch)
        packed.assignments.append(assignment)
        if described is not None:
            packed.command.stages[launch.stage] = described

    def ask_back(self, recalls: Iterable[list[Any]], cancels: Iterable[list[Any]]) -> None:
        """Add what is asked back or to be ended, each as [stage, attempt, ranges]."""
        for told in recalls:
            self._room(ENTRY + RANGE * len(told[2])).command.recalls.append(told)
        for told in cancels:
            self._room(ENTRY + RANGE * len(told[2])).command.cancels.append(told)

    def ask_for_states(self, checkpoints: Iterable[list[Any]]) -> None:
        """Add the running tasks that are asked for their states, each as [stage, attempt, ranges, checkpoint]."""
        for told in checkpoints:
            self._room(ENTRY + RANGE * len(told[2])).command.checkpoints.append(told)

    def _room(self, size: int) -> Packed:
        """Return a command that takes so many bytes more."""
        last = self.packed[-1]
        if last.size and last.size + size > FULL:
            last = self._next()
            self.packed.append(last)
        last.size += size
        return last

    def _next(self) -> Packed:
        return Packed(self._begin(), 0, [])
