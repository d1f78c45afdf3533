"""Workloads of one job at a time: how long from the POST until its end is seen in its row, looked at every 5 ms.

Each run is that of a user: submitted over HTTP, with the workers warm from a small job before; the median of a few runs.
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
JOB_SECONDS = 60.0
WARM_UP_SECONDS = 20.0
SMALL, LARGE = 10_000, 100_000
#: How much slower the large fanout may look by chance alone.
NOT_SLOWER = 0.95
CHAIN = 200
DEPTH, WIDTH = 50, 100
COMMANDS = 500


def fanout(installation: Installation) -> Iterator[Measured]:
    """Run 1 → 10,000 → 1, then 1 → 100,000 → 1."""
    targets = (Target("ratio", "at least", 8),)
    with warm(installation) as client:
        small = _run(client, descriptions.fanout(SMALL), SMALL, targets)
        yield small
        large = _run(client, descriptions.fanout(LARGE), LARGE, targets, repeats=1)
        beside = {"beside_small": round(large.per_s / small.per_s, 2)}
        yield large.adding(beside, Target("beside_small", "at least", NOT_SLOWER))


def chain(installation: Installation) -> Iterator[Measured]:
    """Run 200 tasks one after another; a hop is a task, the whole run divided by their number."""
    with warm(installation) as client:
        run = _run(client, descriptions.chain(CHAIN), CHAIN, ())
        yield run.adding({"hop_ms": round(1000 * run.seconds / CHAIN, 3)}, Target("hop_ms", "at most", 0.35, as_ratio=True))


def layers(installation: Installation) -> Iterator[Measured]:
    """Run 50 stages of 100 tasks, each of which needs all of the stage before."""
    target = Target("ratio", "at least", 7 if installation.config.agents == 1 else 5)
    with warm(installation) as client:
        yield _run(client, descriptions.layers(DEPTH, WIDTH), DEPTH * WIDTH, (target,))


def commands(installation: Installation) -> Iterator[Measured]:
    """Run /bin/true 500 times."""
    with warm(installation, descriptions.commands(WARM_UP)) as client:
        target = Target("ratio", "at least", 2)
        yield _run(client, descriptions.commands(COMMANDS), COMMANDS, (target,), function=lambda _: None)


def tail(installation: Installation) -> Iterator[Measured]:
    """Run one task of 10 s in the middle of 10,000 short ones."""
    with warm(installation) as client:
        yield _run(
            client,
            descriptions.flat(SMALL + 1, python=descriptions.TAIL),
            SMALL + 1,
            (Target("seconds", "at most", 11),),
            repeats=1,
        )


def warm(installation: Installation, description: Description | None = None) -> Client:
    """Give a client, once a small job of the same kind has run: workers and connections are there."""
    client = Client(installation)
    client.run(description or descriptions.flat(WARM_UP), WARM_UP_SECONDS)
    return client


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
    runs = [client.run(description, JOB_SECONDS) for _ in range(repeats)]
    wrong = problems(records.tasks(client.database, dict(runs)), {id_: description for id_, _ in runs}, function)
    return Measured(n, median(seconds for _, seconds in runs), targets, problems=wrong)
