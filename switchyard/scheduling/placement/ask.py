"""What a placement strategy is given: the cluster at the start of a round, then one ask per request."""

from dataclasses import dataclass

from switchyard.scheduling.cluster import Cluster, IntArray
from switchyard.scheduling.resources import Resources


@dataclass(frozen=True, slots=True)
class Start:
    """A round begins. The cluster is read only to a strategy, and shows what earlier asks have taken."""

    cluster: Cluster
    seed: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Share out `count` alike tasks; `fits` says how many each node can take, and 0 < count <= sum(fits)."""

    demand: Resources
    fits: IntArray
    count: int
