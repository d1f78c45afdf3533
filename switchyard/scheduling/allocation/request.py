"""What asks for room: a request per stage, and how much of it an algorithm allows."""

from dataclasses import dataclass

from switchyard.scheduling.resources import Resources
from switchyard.scheduling.spec.types import Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A stage that wants `count` alike ready tasks placed.

    A lower `priority` goes first, then a lower `submitted` (any number that grows). `waiting_since` is since
    when, in the seconds of `now`, none of its ready tasks has found a place. With a `gang_size`, that many
    are placed together or none, and `count` is a multiple of it. `excluded` are ids of nodes that these tasks
    shun.
    """

    stage: int
    job: int
    pool: str
    count: int
    demand: Resources
    waiting_since: float
    submitted: float
    priority: int = 100
    gang_size: int = 0
    constraints: tuple[Constraint, ...] = ()
    excluded: frozenset[int] = frozenset()

    @property
    def together(self) -> int:
        """The number of tasks below which nothing can be placed."""
        return self.gang_size or 1


@dataclass(frozen=True, slots=True)
class Allowance:
    """A request and how many of its tasks may be placed in this round."""

    request: Request
    count: int
