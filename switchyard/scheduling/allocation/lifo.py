"""LIFO: by priority, then the latest submission first, each as much as it asks for; as FIFO otherwise."""

from collections.abc import Sequence

from switchyard.scheduling.allocation.request import Allowance, Request


def lifo(requests: Sequence[Request]) -> list[Allowance]:
    """Allow all, in order; ids settle ties, so the order in which the requests come in does not matter."""
    return [Allowance(request, request.count) for request in sorted(requests, key=_turn)]


def _turn(request: Request) -> tuple[int, float, int, int]:
    return request.priority, -request.submitted, request.job, request.stage
