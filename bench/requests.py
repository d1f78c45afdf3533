"""Workloads of requests: many small jobs, one at a time, and large ones until they are taken.

A job's way is timed from the sending of its POST by this machine's clock to the time in its row (`ended_at`), which
the database takes from the same clock; that of a single job to the sight of its end, looked for every millisecond.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from bench import descriptions, records
from bench.checking import problems
from bench.client import Client, Watch
from bench.descriptions import Description
from bench.installation import Installation
from bench.rounds import percentile
from bench.rows import Measured, Target
from bench.throughput import LARGE, SMALL, square, warm

CLIENTS = 8
JOBS = 2000
SINGLES = 50
SIGHT_SECONDS = 0.001
JOB_SECONDS = 60.0
#: Submissions of each number of tasks, and tasks of it in the time of one message of raw Celery.
SUBMISSIONS = {SMALL: (5, 60), LARGE: (3, 80)}


def manyjobs(installation: Installation) -> Iterator[Measured]:
    """Submit 2,000 jobs of one task from 8 clients that follow each to its end; then again as fast as they are taken."""
    followed = 0.0
    for clients, submit_them in (("follow", follow_all), ("flood", submit_all)):
        description = descriptions.flat(1)
        with warm(installation) as client:
            sent = submit_them(installation, description, JOBS)
            client.wait(sent, JOB_SECONDS)
            ended = records.ends(client.database, sent)
            ways = [ended[id_] - sent[id_] for id_ in sent]
            p95 = percentile(ways, 95)
            measured = Measured(
                JOBS,
                max(ended.values()) - min(sent.values()),
                (Target("ratio", "at least", 0.08), Target("p95_ms", "at most", 120, as_ratio=True)),
                {"clients": clients, "p50_ms": round(1000 * median(ways), 1), "p95_ms": round(1000 * p95, 1)},
                problems(records.tasks(client.database, sent), dict.fromkeys(sent, description), square),
            )
            if followed:
                beside = {"beside_follow": round(p95 / followed, 2)}
                measured = measured.adding(beside, Target("beside_follow", "at most", 2))
            yield measured
            followed = p95


def single(installation: Installation) -> Iterator[Measured]:
    """Run 50 jobs of one task, one after another, with nothing else to do."""
    description = descriptions.flat(1)
    with warm(installation) as client:
        runs = [client.run(description, JOB_SECONDS, poll=SIGHT_SECONDS) for _ in range(SINGLES)]
        ways = [seconds for _, seconds in runs]
        yield Measured(
            SINGLES,
            sum(ways),
            (Target("p50_ms", "at most", 30, as_ratio=True),),
            {"p50_ms": round(1000 * median(ways), 1), "p95_ms": round(1000 * percentile(ways, 95), 1)},
            problems(records.tasks(client.database, dict(runs)), {id_: description for id_, _ in runs}, square),
        )


def submit(installation: Installation) -> Iterator[Measured]:
    """Submit a job of 10,000 tasks, and one of 100,000, until the 201; each has ended before the next."""
    with warm(installation) as client:
        for n, (repeats, bound) in SUBMISSIONS.items():
            description = descriptions.flat(n)
            taken = [_taken(client, description) for _ in range(repeats)]
            wrong = problems(records.tasks(client.database, dict(taken)), {id_: description for id_, _ in taken}, square)
            seconds = median(seconds for _, seconds in taken)
            yield Measured(n, seconds, (Target("ratio", "at least", bound),), problems=wrong)


def submit_all(installation: Installation, description: Description, count: int) -> dict[str, float]:
    """Submit alike jobs from all clients, each the next when it has its 201; return by id when each was sent."""
    return _by_clients(installation, count, lambda client: _sent(client, description))


def follow_all(installation: Installation, description: Description, count: int) -> dict[str, float]:
    """Submit alike jobs from all clients, each the next when its last has ended; return by id when each was sent."""
    with Watch(installation) as watch:

        def follow(client: Client) -> tuple[str, float]:
            id_, begun = _sent(client, description)
            watch.until_ended(id_, JOB_SECONDS)
            return id_, begun

        return _by_clients(installation, count, follow)


def _by_clients(installation: Installation, count: int, one: Callable[[Client], tuple[str, float]]) -> dict[str, float]:
    def work(_: int) -> list[tuple[str, float]]:
        with Client(installation) as client:
            return [one(client) for _ in range(count // CLIENTS)]

    with ThreadPoolExecutor(CLIENTS) as clients:
        return {id_: begun for sent in clients.map(work, range(CLIENTS)) for id_, begun in sent}


def _sent(client: Client, description: Description) -> tuple[str, float]:
    begun = time.time()
    return client.submit(description), begun


def _taken(client: Client, description: Description) -> tuple[str, float]:
    begun = time.perf_counter()
    id_ = client.submit(description)
    seconds = time.perf_counter() - begun
    client.wait([id_], JOB_SECONDS)
    return id_, seconds
