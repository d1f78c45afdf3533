"""Queries and writes of a placement round: one statement each, whatever the number of stages."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from database import rows
from jobs.store.tables import STAGE_COLUMNS, STAGE_WIDTH, read_constraints, read_stage
from nodes import selectors
from switchyard.scheduling.lifecycle.records import Answer, Resource
from switchyard.scheduling.lifecycle.rows import Candidate, NodeRow, Running, StageRow
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE

_STARTABLE = [int(state) for state in JOB_STARTABLE]


def ask_resources() -> Answer[list[Resource]]:
    """Return what all nodes have."""
    asked = selectors.ask_resources()
    return lambda: [Resource(*row) for row in asked()]


def ask_waiting() -> Answer[dict[int, dict[int, int]]]:
    """Return how many tasks wait on lists, by node and stage; of stages that stand there with none waiting, 0."""
    asked = rows.execute("SELECT node_id, stage_id, sum(waiting)::int FROM jobs_assignment GROUP BY 1, 2")

    def answer() -> dict[int, dict[int, int]]:
        lists: dict[int, dict[int, int]] = defaultdict(dict)
        for node, stage, waiting in asked.fetchall():
            lists[node][stage] = waiting
        return lists

    return answer


def candidates(
    jobs: Collection[UUID] | None, limit: int, *, newest_first: bool, without: Collection[UUID]
) -> list[Candidate]:
    """Return stages with unplaced tasks that need no other any more: by priority, submission, and place in their jobs."""
    turn = f"j.priority, j.number{' DESC' if newest_first else ''}, s.position"
    found = rows.fetch(
        f"""SELECT {STAGE_COLUMNS}, j.pool, j.priority, j.number, j.spec -> 'constraints',
            extract(epoch FROM coalesce(s.refused_at, now()))::float8, j.stages_total = 1, j.job_type_id, first.most
        FROM (
            SELECT s.id, j.id AS job, t.max_running AS most FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
                JOIN jobs_jobtype t ON t.id = j.job_type_id
            WHERE s.ended_at IS NULL AND s.open_needs = 0 AND NOT isempty(s.unplaced)
                AND j.state = ANY(%s) AND j.held_reason = '' AND NOT t.paused AND (%s OR j.id = ANY(%s))
                AND j.id <> ALL(%s)
            ORDER BY {turn} LIMIT %s
        ) first JOIN jobs_stage s ON s.id = first.id JOIN jobs_job j ON j.id = first.job
        ORDER BY {turn}""",
        [_STARTABLE, jobs is None, list(jobs or ()), list(without), limit],
    )
    return [_candidate(read_stage(row), *row[STAGE_WIDTH:]) for row in found]


def live_jobs(kinds: Collection[int]) -> list[Running]:
    """Return the jobs of types that have not ended."""
    found = rows.fetch(
        "SELECT id, job_type_id, number, started_at IS NOT NULL FROM jobs_job "
        "WHERE ended_at IS NULL AND job_type_id = ANY(%s)",
        [list(kinds)],
    )
    return [Running(*row) for row in found]


def ask_unready(jobs: Collection[UUID], most_of_one: int, most: int) -> Answer[list[StageRow]]:
    """Return the next stages of jobs that need others, producers first, without gangs and what has a buffer."""
    asked = rows.execute(
        f"""SELECT {STAGE_COLUMNS} FROM jobs_job j CROSS JOIN LATERAL (
            SELECT * FROM jobs_stage s WHERE s.job_id = j.id AND s.ended_at IS NULL AND s.open_needs > 0
                AND NOT isempty(s.unplaced) AND NOT s.buffered AND s.spec ->> 'gang' IS DISTINCT FROM 'true'
            ORDER BY s.position LIMIT %s
        ) s WHERE j.id = ANY(%s) AND j.state = ANY(%s) AND j.held_reason = '' ORDER BY j.id, s.position LIMIT %s""",
        [most_of_one, list(jobs), _STARTABLE, most],
    )
    return lambda: [read_stage(row) for row in asked.fetchall()]


def ask_edges(jobs: Collection[UUID]) -> Answer[list[tuple[int, int, str]]]:
    """Return the edges of jobs as (consumer, producer, exchange)."""
    return rows.execute(
        "SELECT consumer_id, producer_id, exchange FROM jobs_edge WHERE job_id = ANY(%s)", [list(jobs)]
    ).fetchall


def stage(id_: int) -> StageRow:
    """Return a stage."""
    (row,) = rows.fetch(f"SELECT {STAGE_COLUMNS} FROM jobs_stage s WHERE s.id = %s", [id_])
    return read_stage(row)


def write_entries(nodes: Sequence[NodeRow]) -> None:
    """Write the numbers of the last entries of nodes."""
    if nodes:
        rows.execute(
            "UPDATE nodes_node n SET last_entry = c.last_entry "
            "FROM unnest(%s::bigint[], %s::bigint[]) AS c(id, last_entry) WHERE n.id = c.id",
            rows.columns(((node.id, node.last_entry) for node in nodes), 2),
        )


def write_refusals(refusals: Sequence[tuple[int, str | None]]) -> None:
    """Write why stages wait, as JSON texts; None for a stage that waits no more."""
    rows.execute(
        """UPDATE jobs_stage s SET refusal = c.refusal::jsonb,
            refused_at = CASE WHEN c.refusal IS NOT NULL THEN coalesce(s.refused_at, now()) END
        FROM unnest(%s::bigint[], %s::text[]) AS c(id, refusal) WHERE s.id = c.id""",
        rows.columns(refusals, 2),
    )


def _candidate(
    stage: StageRow,
    pool: str,
    priority: int,
    number: int,
    constraints: str | None,
    waiting_since: float,
    alone: bool,  # noqa: FBT001 - a column of the row
    kind: int,
    most: int | None,
) -> Candidate:
    return Candidate(stage, pool, priority, number, read_constraints(constraints), waiting_since, alone, kind, most)
