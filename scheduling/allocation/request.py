"""What asks for room: a request per stage, and how much of it an algorithm allows."""

from dataclasses import dataclass

from scheduling.resources import Resources
from scheduling.spec.types import Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A stage that wants `count` alike ready tasks placed.

    A lower `priority` is served first, then a lower `submitted` (any number that grows). `waiting_since` is when the
    stage last had nothing refused, in the seconds of `now`. With a `gang_size`, tasks are placed that many at a
    time or not at all. `excluded` are ids of nodes that these tasks shun.
    """

    stage: int
    job: int
    pool: str
    count: int
    demand: Resources
    priority: int = 100
    submitted: float = 0
    waiting_since: float
    gang_size: int = 0
    constraints: tuple[Constraint, ...] = ()
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Allowance:
    """A request and how many of its tasks may be placed in this round."""

    request: Request
    count: int
