"""The workload of readers: the APIs of other systems asked about 5,000 jobs of a million tasks.

Each row stands beside a reference of the same call: requests beside a route that does next to nothing, long lists beside
as many rows read by psycopg and written by json, without a web. What statements a request costs, PostgreSQL's log tells.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import psycopg

from bench import dataset, descriptions, routes, statements
from bench.client import Client
from bench.dataset import LIVE, Dataset
from bench.installation import Installation
from bench.rounds import percentile
from bench.routes import Long
from bench.rows import Measured, Target
from bench.statements import Statements

READERS, SECONDS = 8, 4.0
REQUESTS, REPEATS = 100, 7
#: Statements that a route costs, by its path.
Costs = dict[str, int]
_TASKS = """SELECT index, state, attempt, node_id, date_part('epoch', started_at), date_part('epoch', ended_at), metrics
    FROM jobs_task WHERE stage_id = %s ORDER BY index"""


def wires(installation: Installation) -> Iterator[Measured]:
    """Ask of 100 live jobs from many readers at once; then, among a million tasks, each route from one."""
    with Client(installation) as client:
        data = dataset.run(client)
        few = _costs(installation, client, data)
        for _ in range(LIVE):
            client.submit(descriptions.flat(1, **descriptions.NOWHERE))
        plain = _rate(installation, routes.PLAIN)
        yield _overview(installation, plain)
        dataset.fill(client, data)
        rows_per_s = _plain_rows(client.database, data.large_stage)
        reader = Reader(installation, client, data, few)
        for path in routes.PAGED:
            yield reader.paged(path, plain)
        for long in routes.UNPAGED:
            yield reader.unpaged(long, rows_per_s)
        yield reader.page(plain)


class Reader:
    """One client with one connection, that asks about the large job; `few` is what its requests cost of a small one."""

    def __init__(self, installation: Installation, client: Client, data: Dataset, few: Costs) -> None:
        self._client, self._log, self._few = client, installation.database_log, few
        self._names = _names(data.large, data.large_stage, dataset.LARGE[0])

    def paged(self, path: str, plain: float) -> Measured:
        """Ask for an answer of bounded length again and again."""
        taken = [self._took(path) for _ in range(REQUESTS)]
        figures: dict[str, float | str] = {"path": path, "p50_ms": _ms(median(taken)), "p99_ms": _ms(percentile(taken, 99))}
        target = Target("p99_ms", "at most", routes.PAGED_P99, as_ratio=True)
        measured = Measured(REQUESTS, sum(taken), (target,), figures, reference=plain)
        return self._with_statements(measured, path, routes.SLOWEST)

    def unpaged(self, long: Long, rows_per_s: float) -> Measured:
        """Ask for all of something some times."""
        seconds = median(self._took(long.path) for _ in range(REPEATS))
        target = Target("ratio", "at least", routes.LIST_RATIO)
        measured = Measured(long.rows, seconds, (target,), {"path": long.path, "ms": _ms(seconds)}, reference=rows_per_s)
        return self._with_statements(measured, long.path, routes.SLOWEST_ROWS)

    def page(self, plain: float) -> Measured:
        """Ask for all that a page of Flink's dashboard shows of a job."""
        seconds = median(sum(map(self._took, routes.PAGE)) for _ in range(REPEATS))
        target = Target("seconds", "at most", routes.WHOLE_PAGE, as_ratio=True)
        return Measured(len(routes.PAGE), seconds, (target,), {"path": "a job's page"}, reference=plain)

    def _took(self, path: str) -> float:
        begun = time.perf_counter()
        self._client.get(path.format(**self._names))
        return time.perf_counter() - begun

    def _with_statements(self, measured: Measured, path: str, slowest: float) -> Measured:
        cost = _cost(self._log, lambda: self._took(path))
        figures = {"statements": cost.count, "slowest_ms": round(cost.slowest_ms, 1)}
        same = Target("statements", "at most", self._few[path])
        return measured.adding(figures, same, Target("slowest_ms", "at most", slowest, as_ratio=True))


def _costs(installation: Installation, client: Client, data: Dataset) -> Costs:
    """Return what each route costs while there are few jobs, asked about the small one."""
    names = _names(data.small, data.small_stage, dataset.SMALL[0])
    found = {}
    for path in (*routes.PAGED, *(long.path for long in routes.UNPAGED)):
        found[path] = _cost(installation.database_log, partial(client.get, path.format(**names))).count
    return found


def _cost(log: Path, ask: Callable[[], object]) -> Statements:
    """Return what a request costs when it costs least: now and then one also notes that a token was used."""
    costs = []
    for _ in range(REPEATS):
        with statements.told(log) as cost:
            ask()
        costs.append(cost)
    return min(costs, key=lambda cost: (cost.count, cost.slowest_ms))


def _names(job: object, stage: int, tasks: int) -> dict[str, object]:
    return {"id": job, "vertex": f"{stage:032x}", "task": tasks - 1}


def _overview(installation: Installation, plain: float) -> Measured:
    """Ask for the overview of all live jobs as often as both processes of the web can answer."""
    rate = _rate(installation, routes.OVERVIEW)
    target = Target("ratio", "at least", routes.OVERVIEW_RATIO)
    return Measured(round(rate * SECONDS), SECONDS, (target,), {"path": f"{routes.OVERVIEW} of {LIVE}"}, reference=plain)


def _rate(installation: Installation, path: str) -> float:
    """Return how many requests a second are answered to several readers at once."""

    def read(until: float) -> int:
        with Client(installation) as client:
            return _count(lambda: client.get(path), until)

    until = time.perf_counter() + SECONDS
    with ThreadPoolExecutor(READERS) as readers:
        return sum(readers.map(read, [until] * READERS)) / SECONDS


def _count(ask: Callable[[], object], until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        ask()
        count += 1
    return count


def _plain_rows(database: psycopg.Connection, stage: int) -> float:
    """Return how many rows a second can be read and written as JSON with nothing around that."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        with database.cursor() as cursor:
            found = cursor.execute(_TASKS, [stage]).fetchall()
            names = [column.name for column in cursor.description or ()]
        json.dumps([dict(zip(names, row, strict=True)) for row in found])
        taken.append(time.perf_counter() - begun)
    return dataset.LARGE[0] / median(taken)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
