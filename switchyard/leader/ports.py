"""What the leader needs of its surroundings, beside the records of the rules (switchyard.scheduling.lifecycle.records)."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from switchyard.leader.descriptions import Described
from switchyard.messaging.messages import Command
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import AssignmentRow


class Clock(Protocol):
    """The leader's own clock; that of the database is asked with the lease."""

    def monotonic(self) -> float:
        """Return seconds that only grow, whatever the time of day is set to."""

    def now(self) -> datetime:
        """Return the time of day."""


class Outbox(Protocol):
    """Takes commands for sessions. What it takes may be lost, doubled or delayed."""

    def send(self, commands: Iterable[Command]) -> None:
        """Send each command to its session."""

    def waiting(self, sessions: Sequence[str]) -> list[int]:
        """Return how many commands wait for each of these sessions."""

    def delete(self, sessions: Collection[str]) -> None:
        """Forget what waits for sessions that are over."""


class Lists(Protocol):
    """The lists of nodes as they are stored, in the order of nodes and entries."""

    def all(self) -> list[AssignmentRow]:
        """Return all lists."""

    def some(self, ids: Collection[int]) -> list[AssignmentRow]:
        """Return the assignments with these ids, as far as there are any."""

    def of(self, nodes: Collection[int]) -> list[AssignmentRow]:
        """Return what stands on the lists of these nodes, of whichever session."""

    def last_reports(self, nodes: Collection[int]) -> dict[int, int]:
        """Return the number of the last report of each node that was applied."""

    def resumed(self, sessions: Collection[str]) -> list[AssignmentRow]:
        """Return the lists of those of these sessions that have gone on from others."""


class Descriptions(Protocol):
    """What agents must know of stages."""

    def ask(self, stages: set[int]) -> Answer[Described]:
        """Ask what agents are told of these stages now; part of what the caller asks together."""

    def read(self, stages: set[int]) -> Described:
        """Return what agents are told of these stages now."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The surroundings of one leader."""

    clock: Clock
    outbox: Outbox
    lists: Lists
    descriptions: Descriptions
