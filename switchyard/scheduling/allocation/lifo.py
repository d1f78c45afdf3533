"""LIFO: by priority, then the latest submission first, each as much as it asks for; as FIFO otherwise."""

from collections.abc import Sequence

from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.resources import Resources


def lifo(requests: Sequence[JobRequest], capacity: Resources) -> list[Target]:
    """Grant all, in order; numbers settle ties, so the order in which the requests come in does not matter."""
    return [Target(request.job, request.at_most) for request in sorted(requests, key=_turn)]


def _turn(request: JobRequest) -> tuple[int, float, int]:
    return request.priority, -request.submitted, request.job
