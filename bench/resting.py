"""Workloads of rest: what an installation takes with nothing to do, and with much that cannot be done yet."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bench import descriptions, rounds, usage
from bench.client import Client
from bench.installation import Installation
from bench.rows import Measured, Target
from bench.throughput import warm

SETTLED, IDLE = 5.0, 20.0
JOBS, TASKS = 100, 1000
BLOCKED = 15.0
NOT_DATABASE = ("web", "scheduler")


def idle(installation: Installation) -> Iterator[Measured]:
    """Look at all processes but the database for 20 s after a small job."""
    with warm(installation):
        time.sleep(SETTLED)
        before, begun = usage.cpu_seconds(installation.trees()), time.perf_counter()
        time.sleep(IDLE)
        after, seconds = usage.cpu_seconds(installation.trees()), time.perf_counter() - begun
        used = sum(spent - before.get(pid, 0.0) for pid, spent in after.items())
        yield Measured(
            0,
            seconds,
            (Target("cpu_percent", "at most", 5), Target("pss_mib", "at most", 600)),
            {
                "cpu_percent": round(100 * used / seconds, 2),
                "pss_mib": round(usage.pss_mib(installation.trees()), 1),
            },
        )


def backlog(installation: Installation) -> Iterator[Measured]:
    """Let 100 jobs of 1,000 tasks wait behind tasks that occupy every slot; rounds that place nothing are timed."""
    with warm(installation) as client:
        client.submit(descriptions.flat(installation.config.agents * installation.config.slots, **descriptions.ENDLESS))
        time.sleep(SETTLED)
        before, begun = usage.pss_mib(installation.trees(*NOT_DATABASE)), time.perf_counter()
        for _ in range(JOBS):
            client.submit(descriptions.flat(TASKS))
        seconds = time.perf_counter() - begun
        time.sleep(SETTLED)
        since = datetime.now(UTC)
        time.sleep(BLOCKED)
        took = [each.seconds for each in rounds.of(installation, since, datetime.now(UTC)) if not each.assignments]
        yield Measured(
            JOBS * TASKS,
            seconds,
            (Target("grown_mib", "at most", 50), Target("round_p95_ms", "at most", 24, as_ratio=True)),
            {
                "grown_mib": round(usage.pss_mib(installation.trees(*NOT_DATABASE)) - before, 1),
                "rounds": len(took),
                **({"round_p95_ms": round(1000 * rounds.percentile(took, 95), 2)} if took else {}),
            },
            _started(client),
        )


def _started(client: Client) -> list[str]:
    """Say whether tasks ran that should have waited."""
    row = client.database.execute(
        "SELECT count(*) FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id "
        "WHERE s.parallelism = %s AND (t.started_at IS NOT NULL OR t.ended_at IS NOT NULL)",
        [TASKS],
    ).fetchone()
    return [f"{row[0]} tasks began that should have waited"] if row and row[0] else []
