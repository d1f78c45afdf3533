"""FIFO: by priority, then by submission, each as much as it asks for.

A request that does not fit does not hold up those behind it (backfill); what keeps them from starving it is a
reservation (see allocation.reserving).
"""

from collections.abc import Sequence

from switchyard.scheduling.allocation.request import JobRequest, Target
from switchyard.scheduling.resources import Resources


def fifo(requests: Sequence[JobRequest], capacity: Resources) -> list[Target]:
    """Grant all, in order; numbers settle ties, so the order in which the requests come in does not matter."""
    return [Target(request.job, request.at_most) for request in sorted(requests, key=_turn)]


def _turn(request: JobRequest) -> tuple[int, float, int]:
    return request.priority, request.submitted, request.job
