"""A stage's request for room."""

from dataclasses import dataclass

from switchyard.scheduling.resources import Resources
from switchyard.scheduling.spec.types import Constraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A stage that wants `count` alike ready tasks placed.

    The request with the lowest `turn` is served first. `waiting_since` is since when, in the seconds of `now`, none of its
    ready tasks has found a place. With a `gang_size`, that many are placed together or none, and `count` is a multiple of it.
    `excluded` are ids of nodes that these tasks shun.
    """

    stage: int
    job: int
    pool: str
    count: int
    demand: Resources
    waiting_since: float
    turn: tuple[float, ...] = ()
    gang_size: int = 0
    constraints: tuple[Constraint, ...] = ()
    excluded: frozenset[int] = frozenset()

    @property
    def together(self) -> int:
        """The number of tasks below which nothing can be placed."""
        return self.gang_size or 1
