"""Records: what the rows say after a run. They are judged in checking."""

from collections.abc import Iterable, Iterator

import psycopg

from bench.checking import TaskRecord
from switchyard.scheduling.lifecycle.states import TaskState


def tasks(database: psycopg.Connection, jobs: Iterable[str]) -> Iterator[TaskRecord]:
    """Yield the tasks of these jobs."""
    found = database.execute(
        """SELECT s.job_id::text, s.name, t.index, t.state, t.node_id, t.scheduled_at, t.started_at, t.ended_at, t.result
        FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id WHERE s.job_id = ANY(%s)""",
        [list(jobs)],
    )
    for job, stage, index, state, *rest in found:
        yield TaskRecord(job, stage, index, TaskState(state), *rest)


def ends(database: psycopg.Connection, jobs: Iterable[str]) -> dict[str, float]:
    """Return when these jobs ended, by id, as seconds of the wall clock."""
    found = database.execute(
        "SELECT id::text, extract(epoch FROM ended_at)::float8 FROM jobs_job WHERE id = ANY(%s)", [list(jobs)]
    )
    return dict(found.fetchall())


def dead_rows(database: psycopg.Connection) -> int:
    """Count the dead rows of our tables, as far as the server's statistics know of them."""
    row = database.execute(
        "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE relname LIKE ANY(ARRAY['jobs%', 'nodes%'])"
    ).fetchone()
    return int(row[0] or 0) if row else 0
