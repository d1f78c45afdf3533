"""The signature of a placement strategy, and the list of those there are (docs/adding-an-algorithm.md)."""

from collections.abc import Callable
from typing import Protocol

from switchyard.scheduling.cluster import IntArray
from switchyard.scheduling.placement.ask import Ask, Start
from switchyard.scheduling.placement.best_fit import BestFit
from switchyard.scheduling.placement.bias import Bias
from switchyard.scheduling.placement.round_robin import RoundRobin
from switchyard.scheduling.placement.spread import Spread


class Strategy(Protocol):
    """Made once per round and pool, called once per request; may remember things between the calls."""

    def __call__(self, ask: Ask) -> IntArray:
        """Return how many tasks each node gets: all of `ask.count`, on no node more than `ask.fits`."""
        ...


STRATEGIES: dict[str, Callable[[Start], Strategy]] = {
    "bias": Bias,
    "round_robin": RoundRobin,
    "best_fit": BestFit,
    "spread": Spread,
}
