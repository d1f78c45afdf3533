"""Workloads of one job at a time: how long from the POST until its end is seen.

Each run is that of a user: submitted over HTTP, with the workers warm from a small job before.
"""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from bench import descriptions, records
from bench.checking import problems
from bench.client import Client
from bench.descriptions import Description
from bench.installation import Installation
from bench.rows import Measured, Target

WARM_UP = 64
REPEATS = 3
JOB_SECONDS = 120.0


def fanout(installation: Installation) -> Iterator[Measured]:
    """Run 1 → 10,000 → 1, then 1 → 100,000 → 1."""
    targets = (Target("per_s", "at least", 10_000), Target("ratio", "at least", 8))
    with Client(installation) as client:
        warm_up(client)
        small = _run(client, descriptions.fanout(10_000), 10_000, targets)
        yield small
        yield _run(client, descriptions.fanout(100_000), 100_000, targets, repeats=1)


def warm_up(client: Client) -> None:
    """Run a small job of the same kind, so that workers and connections are there."""
    client.run(descriptions.flat(WARM_UP), JOB_SECONDS)


def square(index: int) -> int:
    """Give the result that the tasks must have given."""
    return index * index


def _run(
    client: Client,
    description: Description,
    n: int,
    targets: tuple[Target, ...],
    *,
    repeats: int = REPEATS,
    function: Callable[[int], Any] = square,
) -> Measured:
    """Run a job a few times and take the median."""
    runs = [client.run(description, JOB_SECONDS) for _ in range(repeats)]
    wrong = problems(records.tasks(client.database, dict(runs)), {id_: description for id_, _ in runs}, function)
    return Measured(n, median(seconds for _, seconds in runs), targets, problems=wrong)
