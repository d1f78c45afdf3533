"""Data of an installation that has run for long: 5,000 jobs of a million tasks, copied from two that really ran.

Rows are copied by the database from each other, whatever their columns are; only what makes a copy another row is new.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bench import descriptions
from bench.client import Client

JOBS, LIVE = 5_000, 100
#: Tasks of the stages of the large job, and of each other one.
LARGE, SMALL = (10_000, 198), (102, 102)
JOB_SECONDS = 120.0
#: Of each table what is new in a copy, and which rows are copied.
COPIES = {
    "jobs_job": ({"id": "c.id", "number": "c.number"}, "copied c ON c.original = o.id"),
    "jobs_stage": ({"id": "s.id", "job_id": "s.job"}, "staged s ON s.original = o.id"),
    "jobs_edge": (
        {
            "id": "nextval(pg_get_serial_sequence('jobs_edge', 'id'))",
            "job_id": "p.job",
            "producer_id": "p.id",
            "consumer_id": "s.id",
        },
        "staged p ON p.original = o.producer_id JOIN staged s ON s.original = o.consumer_id AND s.job = p.job",
    ),
    "jobs_task": ({"stage_id": "s.id"}, "staged s ON s.original = o.stage_id"),
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """The large job and a small one, and the first stage of each."""

    large: UUID
    large_stage: int
    small: UUID
    small_stage: int


def run(client: Client) -> Dataset:
    """Run the small and the large job."""
    small, _ = client.run(descriptions.telling(*SMALL), JOB_SECONDS)
    large, _ = client.run(descriptions.telling(*LARGE), JOB_SECONDS)
    return Dataset(UUID(large), _first_stage(client.database, large), UUID(small), _first_stage(client.database, small))


def fill(client: Client, data: Dataset) -> None:
    """Copy the small job until there are 5,000 jobs, those that wait among them, and a million tasks."""
    with client.database.transaction():
        _prepare(client.database, data.small, JOBS - 2 - LIVE)
        for table, (new, of) in COPIES.items():
            _copy(client.database, table, new, of)
    client.database.execute("VACUUM ANALYZE")


def _prepare(database: psycopg.Connection, job: UUID, count: int) -> None:
    """Choose the ids of copies of a job, and of its stages."""
    database.execute(
        "CREATE TEMPORARY TABLE copied ON COMMIT DROP AS SELECT %s::uuid AS original, gen_random_uuid() AS id, "
        "nextval('jobs_job_number') AS number FROM generate_series(1, %s)",
        [job, count],
    )
    database.execute(
        "CREATE TEMPORARY TABLE staged ON COMMIT DROP AS SELECT s.id AS original, c.id AS job, "
        "nextval(pg_get_serial_sequence('jobs_stage', 'id')) AS id "
        "FROM jobs_stage s JOIN copied c ON s.job_id = c.original"
    )


def _copy(database: psycopg.Connection, table: str, new: Mapping[str, str], of: str) -> None:
    """Insert copies of rows `o` of a table, with new values in some columns."""
    found = database.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
    names = [name for (name,) in found]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(new.get(name, f'o."{name}"') for name in names)
    database.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} o JOIN {of}".encode())


def _first_stage(database: psycopg.Connection, job: str) -> int:
    row = database.execute("SELECT id FROM jobs_stage WHERE job_id = %s ORDER BY position LIMIT 1", [job]).fetchone()
    assert row is not None, "a job that ran has stages"
    return int(row[0])
