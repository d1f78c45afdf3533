"""Workloads of states: a checkpoint of many running tasks, and what checkpoints cost tasks that save nothing."""

import time
from collections.abc import Iterator
from statistics import median

import psycopg

from bench import descriptions
from bench.client import Client, Unfinished
from bench.installation import Installation
from bench.rows import Measured, Target
from bench.throughput import JOB_SECONDS, LARGE, warm

KEEPING, KIB = 1000, 10
START_SECONDS, CHECKPOINT_SECONDS, POLL_SECONDS = 180.0, 60.0, 0.02
REPEATS = 3
#: Checkpoints in the time that raw Celery takes for so many tasks: 2 s where it does 1,000/s.
SOON = Target("seconds", "at most", 2000, as_ratio=True)
#: Of the rate without checkpoints.
COST = Target("ratio", "at least", 0.9)


def states(installation: Installation) -> Iterator[Measured]:
    """Have 1,000 running tasks saved, 10 KiB each, by a checkpoint; then run 1 → 100,000 → 1 with one a second."""
    with warm(installation) as client:
        job = client.submit(descriptions.keeping(KEEPING, KIB))
        _await_running(client.database, job, KEEPING)
    with Client(installation) as client:  # The connection that rested meanwhile may be closed.
        try:
            took = median(_checkpoint(client, job) for _ in range(REPEATS))
        finally:
            client.post(f"/api/v1/jobs/{job}/cancel")
        yield Measured(KEEPING, took, (SOON,), {"kib": KIB})
        client.wait([job], JOB_SECONDS)
    with warm(installation) as client:
        plain = descriptions.fanout(LARGE)
        without = min(client.run(plain, JOB_SECONDS)[1] for _ in range(REPEATS))
        saved = min(client.run({**plain, "checkpoint": {"interval": 1}}, JOB_SECONDS)[1] for _ in range(REPEATS))
        yield Measured(LARGE, saved, (COST,), {"interval": 1}, reference=LARGE / without)


def _await_running(database: psycopg.Connection, job: str, count: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    question = "SELECT coalesce(sum(counts[4]), 0) FROM jobs_stage WHERE job_id = %s"
    while (running := _one(database, question, job)) < count:
        if time.monotonic() > deadline:
            raise Unfinished(f"{running} of {count} tasks ran after {START_SECONDS:g} s")
        time.sleep(0.2)


def _checkpoint(client: Client, job: str) -> float:
    """Ask for a checkpoint, and return after how many seconds it is completed, by the database's clock."""
    client.post(f"/api/v1/jobs/{job}/checkpoint")
    deadline = time.monotonic() + CHECKPOINT_SECONDS
    last = "FROM jobs_checkpoint WHERE job_id = %s ORDER BY number DESC LIMIT 1"
    while not _one(client.database, f"SELECT (ended_at IS NOT NULL)::int {last}", job):
        if time.monotonic() > deadline:
            raise Unfinished(f"a checkpoint had not ended after {CHECKPOINT_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    if answers := _one(client.database, f"SELECT CASE state WHEN 1 THEN {KEEPING} - answers ELSE -1 END {last}", job):
        raise Unfinished(f"a checkpoint failed, or lacks {answers} answers")
    return _one(client.database, f"SELECT extract(epoch FROM ended_at - triggered_at)::float8 {last}", job)


def _one(database: psycopg.Connection, question: str, job: str) -> float:
    row = database.execute(question.encode(), [job]).fetchone()
    assert row is not None, "the job has what is asked for"
    return float(row[0])
