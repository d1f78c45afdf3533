"""The workload of a large cluster: 200 simulated agents of 4 slots, tasks of 50 ms, never fewer than 500 live jobs.

1,000 jobs wait before the first agent comes. Measured is from the moment when all agents are registered until only 500
jobs are left, a minute at most; the rest runs out and is checked with all.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any

import psycopg

from bench import beside, descriptions, records, rounds
from bench.checking import problems
from bench.client import Client, Unfinished
from bench.installation import Installation
from bench.requests import submit_all
from bench.rows import Measured, Target
from bench.throughput import square
from launch.processes import wait_until

AGENTS, DRIVERS, SLOTS = 200, 2, 4
JOBS, LIVE, TASKS = 1000, 500, 40
REGISTERED_SECONDS, MEASURED_SECONDS, REST_SECONDS, POLL_SECONDS = 60.0, 60.0, 120.0, 0.05


def cluster(installation: Installation) -> Iterator[Measured]:
    """Count the tasks that ended, and time the rounds that placed some, while at least 500 jobs were live."""
    description = descriptions.flat(TASKS)
    sent = submit_all(installation, description, JOBS)
    with Client(installation) as client, _agents(installation):
        if not wait_until(lambda: _registered(client.database) == AGENTS, REGISTERED_SECONDS):
            raise Unfinished(f"{_registered(client.database)} of {AGENTS} simulated agents registered")
        since = _now(client.database)
        with suppress(Unfinished):
            client.wait(sent, MEASURED_SECONDS, left=LIVE, poll=POLL_SECONDS)
        until = _now(client.database)
        # What has not ended even then is told by the check.
        with suppress(Unfinished):
            client.wait(sent, REST_SECONDS, poll=POLL_SECONDS)
        took = [each.seconds for each in rounds.of(installation, since, until) if each.assignments]
        yield Measured(
            _ended(client.database, since, until),
            (until - since).total_seconds(),
            (Target("ratio", "at least", 1.5), Target("round_p95_ms", "at most", 60, as_ratio=True)),
            {
                "simulated_agents": AGENTS,
                "rounds": len(took),
                **({"round_p95_ms": round(1000 * rounds.percentile(took, 95), 1)} if took else {}),
            },
            problems(records.tasks(client.database, sent), dict.fromkeys(sent, description), square),
        )


def _agents(installation: Installation) -> ExitStack:
    """Start the processes of the simulated agents; they stop when the returned stack is closed."""
    config = installation.config
    env = {
        **os.environ,
        "REDIS_URL": installation.redis_url,
        "SWITCHYARD_NODE_TOKEN": installation.credentials.node_token,
    }
    each = ("--agents", str(AGENTS // DRIVERS), "--slots", str(SLOTS), "--server", f"{config.host}:{config.port}")
    with ExitStack() as stack:
        for number in range(DRIVERS):
            argv = ("-m", "bench.driver", "--prefix", f"simulated-{number}-", *each)
            stack.enter_context(beside.running(f"driver-{number}", argv, env, installation.logs))
        return stack.pop_all()


def _registered(database: psycopg.Connection) -> int:
    return int(_one(database, "SELECT count(*) FROM nodes_node WHERE session <> ''"))


def _now(database: psycopg.Connection) -> datetime:
    now: datetime = _one(database, "SELECT clock_timestamp()")
    return now


def _ended(database: psycopg.Connection, since: datetime, until: datetime) -> int:
    return int(_one(database, "SELECT count(*) FROM jobs_task WHERE ended_at > %s AND ended_at <= %s", since, until))


def _one(database: psycopg.Connection, question: str, *values: object) -> Any:
    row = database.execute(question.encode(), values).fetchone()
    assert row is not None, "an aggregate and an existing row are always found"
    return row[0]
