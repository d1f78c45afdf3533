"""Queries and writes of a placement round: one statement each, whatever the number of stages."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from database import rows
from jobs.store.tables import STAGE_COLUMNS, STAGE_WIDTH, read_constraints, read_demand, read_stage
from nodes import selectors
from switchyard.scheduling.lifecycle.facts import Resource
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import Candidate, Front, NodeRow, Running, Share, StageRow
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, LISTED, TaskState
from switchyard.scheduling.resources import most_of_each

_STARTABLE = [int(state) for state in JOB_STARTABLE]
#: How many tasks of a stage are on nodes.
_ON_NODES = " + ".join(f"s.counts[{state + 1}]" for state in sorted(LISTED))


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
    jobs: Collection[UUID] | None,
    limit: int,
    *,
    fronts: Sequence[Front],
    turns: Mapping[UUID, int],
    without: Collection[UUID],
) -> list[Candidate]:
    """Return stages with unplaced tasks that need no other any more, the first `limit` of each front."""
    others = [front.pool for front in fronts if front.pool]
    given = json.dumps({str(job): turn for job, turn in turns.items()})
    turn = "(%s::jsonb -> j.id::text)::int, " if turns else ""
    parts, values = [], []
    for front in fronts:
        pool = "= %s" if front.pool else "<> ALL(%s)"
        parts.append(
            f"""(SELECT s.id, j.id AS job, t.max_running AS most FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id
                JOIN jobs_jobtype t ON t.id = j.job_type_id
            WHERE s.ended_at IS NULL AND s.open_needs = 0 AND NOT isempty(s.unplaced)
                AND j.state = ANY(%s) AND j.held_reason = '' AND NOT t.paused AND (%s OR j.id = ANY(%s))
                AND j.id <> ALL(%s) AND j.pool {pool}
            ORDER BY {turn} j.priority, j.number {"DESC" if front.newest_first else ""}, s.position LIMIT %s)"""
        )
        values += [_STARTABLE, jobs is None, list(jobs or ()), list(without), front.pool or others]
        values += [given, limit] if turns else [limit]
    found = rows.fetch(
        f"""SELECT {STAGE_COLUMNS}, j.pool, j.priority, j.number, j.spec -> 'constraints',
            extract(epoch FROM coalesce(s.refused_at, now()))::float8, j.stages_total = 1, j.job_type_id, first.most
        FROM ({" UNION ALL ".join(parts)}) first JOIN jobs_stage s ON s.id = first.id JOIN jobs_job j ON j.id = first.job
        ORDER BY j.number, s.position""",
        values,
    )
    return [_candidate(read_stage(row), *row[STAGE_WIDTH:]) for row in found]


def shares(pools: Collection[str]) -> list[Share]:
    """Return the jobs of pools that have not ended."""
    found = rows.fetch(
        f"""SELECT j.id, j.number, j.pool, j.priority, j.job_type_id, t.max_running,
            j.state = ANY(%s) AND j.held_reason = '' AND NOT t.paused,
            sum({_ON_NODES})::int, sum({_ON_NODES} + s.counts[{TaskState.CREATED + 1}])::int,
            max(CASE WHEN s.spec ->> 'gang' = 'true' AND s.open_needs = 0 THEN s.parallelism ELSE 1 END),
            array_agg(DISTINCT s.demand::text)
        FROM jobs_job j JOIN jobs_jobtype t ON t.id = j.job_type_id JOIN jobs_stage s ON s.job_id = j.id
        WHERE j.ended_at IS NULL AND s.ended_at IS NULL AND j.pool = ANY(%s) GROUP BY j.id, t.id ORDER BY j.number""",
        [_STARTABLE, list(pools)],
    )
    return [_share(row) for row in found]


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


def _share(row: Sequence[Any]) -> Share:
    values = list(row)
    values[-1] = most_of_each(map(read_demand, values[-1]))
    return Share(*values)


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
