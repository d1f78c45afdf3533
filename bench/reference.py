"""The reference: raw Celery on the same broker, with two prefork processes, timed at 10,000 tasks.

Celery keeps its tasks nowhere but in the broker and its results nowhere at all; Switchyard keeps both.
"""

import importlib
import os
import time
from dataclasses import dataclass
from typing import Any

import redis

from bench import beside
from bench.host import Host

TASKS = 10_000
POLL_SECONDS = 0.005
READY_SECONDS = 60.0
RUN_SECONDS = 120.0
DATABASE = 15
WORKER = (
    "-m", "celery", "-A", "bench.celery_app", "worker", "--pool", "prefork", "--concurrency", "2",
    "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reference:
    """Tasks a second from the first message to the last result, and messages a second that one process sends."""

    per_s: float
    sent_per_s: float


def measure(host: Host) -> Reference:
    """Send the tasks to a worker that is warm, and see all results arrive."""
    url = _own_database(host.services.redis_url)
    os.environ["BENCH_REFERENCE_URL"] = url
    app: Any = importlib.import_module("bench.celery_app")
    with redis.Redis.from_url(url) as broker, beside.running("reference", WORKER, os.environ, host.data / "logs"):
        _run(app, broker, range(2), READY_SECONDS)
        begun = time.perf_counter()
        sent = _run(app, broker, range(TASKS), RUN_SECONDS)
        return Reference(TASKS / (time.perf_counter() - begun), TASKS / (sent - begun))


def _run(app: Any, broker: redis.Redis, indexes: range, seconds: float) -> float:
    """Run these tasks, check their results, and return when the last message was sent."""
    broker.flushdb()
    for index in indexes:
        app.square.apply_async((index,))
    sent = time.perf_counter()
    deadline = time.monotonic() + seconds
    while broker.llen(app.RESULTS) < len(indexes):
        if time.monotonic() > deadline:
            raise TimeoutError(f"raw Celery had not ended after {seconds:.0f} s")
        time.sleep(POLL_SECONDS)
    results = sorted(int(text) for text in broker.lrange(app.RESULTS, 0, -1))
    if results != [index * index for index in indexes]:
        raise AssertionError("raw Celery gave other results than were asked for")
    return sent


def _own_database(url: str) -> str:
    return f"{url.partition('?')[0]}?db={DATABASE}"
