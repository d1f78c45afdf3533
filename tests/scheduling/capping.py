"""An algorithm for tests: it grants each job a number of its own or, now and then, nothing, in an order of its own."""

from collections.abc import Sequence
from random import Random

from switchyard.scheduling.allocation.base import Algorithm
from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.resources import Resources


def cap(job: int) -> int:
    """Return how many tasks a job is granted at the most, unless it is a gang of more."""
    return 1 + job % 4


class Capping:
    """Draws anew after so many calls, so that targets rise and fall."""

    def __init__(self, alike: int = 1) -> None:
        self.calls, self.alike = 0, alike
        #: The jobs whose targets bound them: they had as many tasks, and could have had more.
        self.bounded: set[int] = set()

    def __call__(self, requests: Sequence[JobRequest], capacity: Resources) -> list[Target]:
        random = Random(self.calls // self.alike)
        self.calls += 1
        self.bounded |= {each.job for each in requests if each.running >= cap(each.job) and each.at_most > each.running}
        order = sorted(requests, key=lambda each: each.job)
        random.shuffle(order)
        return [Target(each.job, max(cap(each.job), each.at_least) if random.random() < 0.8 else 0) for each in order]

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm(self)
