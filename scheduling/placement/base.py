"""The signature of a placement strategy, and the list of those there are.

To add one: write a file here with a class whose constructor takes the cluster at the start of a round and a seed,
and whose call returns how many tasks each node gets; add it to STRATEGIES; tests/scheduling/test_placement.py then
holds it to the rules that all obey. It never sees a single task: it shares out a count in whole-array steps.
"""

from collections.abc import Callable
from typing import Protocol

from scheduling.cluster import Cluster, IntArray
from scheduling.placement.bias import Bias
from scheduling.placement.round_robin import RoundRobin
from scheduling.resources import Resources


class Strategy(Protocol):
    """Made once per round and pool, called once per request; may remember things between the calls."""

    def __call__(self, demand: Resources, fits: IntArray, count: int) -> IntArray:
        """Return how many of `count` alike tasks each node gets.

        `fits` says how many of them each node can take; 0 < count <= sum(fits). All of `count` must be given.
        """
        ...


STRATEGIES: dict[str, Callable[[Cluster, int], Strategy]] = {
    "bias": Bias,
    "round_robin": RoundRobin,
}
