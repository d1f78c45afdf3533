"""FIFO: by priority, then by submission, each as much as it asks for.

A request that does not fit does not hold up those behind it (backfill); what keeps them from starving it is a
reservation (see allocation.reserving).
"""

from collections.abc import Sequence

from switchyard.scheduling.allocation.request import Allowance, Request


def fifo(requests: Sequence[Request]) -> list[Allowance]:
    """Allow all, in order; ids settle ties, so the order in which the requests come in does not matter."""
    return [Allowance(request, request.count) for request in sorted(requests, key=_turn)]


def _turn(request: Request) -> tuple[int, float, int, int]:
    return request.priority, request.submitted, request.job, request.stage
