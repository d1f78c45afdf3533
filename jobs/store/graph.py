"""Stages, edges and lists for the rules."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from uuid import UUID

from database import rows
from jobs.store.tables import (
    ASSIGNMENT_COLUMNS,
    JOB_COLUMNS,
    STAGE_COLUMNS,
    STAGE_WIDTH,
    read_assignment,
    read_job,
    read_stage,
)
from nodes import selectors
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Buffer, Listed, Need, Resource, Stopping
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, StageRow
from switchyard.scheduling.lifecycle.states import Intent, JobState, TaskState


def ask_stages(stages: Collection[int]) -> Answer[tuple[list[StageRow], dict[UUID, JobRow]]]:
    """Lock the jobs of stages, in the order of their ids, and return both."""
    asked = rows.execute(
        f"SELECT {STAGE_COLUMNS}, {JOB_COLUMNS} FROM jobs_job j JOIN jobs_stage s ON s.job_id = j.id "
        "WHERE s.id = ANY(%s) ORDER BY j.id, s.id FOR NO KEY UPDATE OF j",
        [list(stages)],
    )

    def answer() -> tuple[list[StageRow], dict[UUID, JobRow]]:
        found, jobs = [], {}
        for row in asked.fetchall():
            found.append(read_stage(row[:STAGE_WIDTH]))
            if row[1] not in jobs:
                jobs[row[1]] = read_job(row[STAGE_WIDTH:])
        return found, jobs

    return answer


def ask_lists(nodes: Collection[int]) -> Answer[tuple[list[AssignmentRow], list[Resource]]]:
    """Return the lists of nodes, in their order, and what the nodes have."""
    ids = list(nodes)
    lists = rows.execute(f"SELECT {ASSIGNMENT_COLUMNS} FROM jobs_assignment WHERE node_id = ANY(%s) ORDER BY entry", [ids])
    resources = selectors.ask_resources(ids)
    return lambda: ([read_assignment(row) for row in lists.fetchall()], [Resource(*row) for row in resources()])


def ask_consumers(stages: Collection[int]) -> Answer[list[tuple[int, int]]]:
    """Return (stage, a stage that needs all of it)."""
    question = "SELECT producer_id, consumer_id FROM jobs_edge WHERE producer_id = ANY(%s) AND exchange = 'all'"
    return rows.execute(question, [list(stages)]).fetchall


def pointwise_needs(producer: int) -> list[tuple[int, int]]:
    """Return the pointwise edges, as (consumer, producer), of all pointwise consumers of a stage."""
    return rows.fetch(
        "SELECT c.consumer_id, c.producer_id FROM jobs_edge e JOIN jobs_edge c ON c.consumer_id = e.consumer_id "
        "WHERE e.producer_id = %s AND e.exchange = 'pointwise' AND c.exchange = 'pointwise'",
        [producer],
    )


def pointwise_producers(consumer: int) -> list[int]:
    """Return the stages that a stage reads from task by task."""
    found = rows.fetch("SELECT producer_id FROM jobs_edge WHERE consumer_id = %s AND exchange = 'pointwise'", [consumer])
    return [producer for (producer,) in found]


def gangs(stages: Collection[int]) -> set[int]:
    """Return which of these stages are gangs."""
    found = rows.fetch("SELECT id FROM jobs_stage WHERE id = ANY(%s) AND spec ->> 'gang' = 'true'", [list(stages)])
    return {id_ for (id_,) in found}


def suspending(stages: Collection[int]) -> set[int]:
    """Return which of these stages are of jobs that are being suspended."""
    if not stages:
        return set()
    found = rows.fetch(
        "SELECT s.id FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE s.id = ANY(%s) AND j.state = %s",
        [list(stages), int(JobState.SUSPENDING)],
    )
    return {id_ for (id_,) in found}


def buffers(stages: Collection[int]) -> list[Buffer]:
    """Return all buffers of the stages that feed a buffer at either end of which one of these stages is."""
    found = rows.fetch(
        """SELECT e.producer_id, e.consumer_id, e.buffer FROM jobs_edge e WHERE e.buffer IS NOT NULL AND e.producer_id IN (
            SELECT producer_id FROM jobs_edge WHERE buffer IS NOT NULL AND (producer_id = ANY(%s) OR consumer_id = ANY(%s))
        )""",
        [list(stages), list(stages)],
    )
    return [Buffer(*row) for row in found]


def listed(stages: Collection[int]) -> list[Listed]:
    """Return where tasks of these stages are listed."""
    found = rows.fetch(
        "SELECT node_id, stage_id, listed::text, started::text FROM jobs_assignment WHERE stage_id = ANY(%s)", [list(stages)]
    )
    return [Listed(node, stage, *map(IndexSet.from_multirange, sets)) for node, stage, *sets in found]


def nodes_listing(stages: Collection[int]) -> list[int]:
    """Return the nodes on whose lists tasks of these stages stand."""
    found = rows.fetch("SELECT DISTINCT node_id FROM jobs_assignment WHERE stage_id = ANY(%s)", [list(stages)])
    return [node for (node,) in found]


def nodes_recalled() -> list[int]:
    """Return the nodes on whose lists entries stand that are to end."""
    return [node for (node,) in rows.fetch("SELECT DISTINCT node_id FROM jobs_assignment WHERE recalled")]


def stopping_jobs() -> Stopping:
    """Return the jobs of which something is to end, some at a time, without those that are held."""
    found = rows.fetch(
        """WITH live AS NOT MATERIALIZED (SELECT * FROM jobs_job WHERE ended_at IS NULL AND held_reason = '')
        (SELECT id, 0 FROM live WHERE state = ANY(%s) ORDER BY id LIMIT 100)
        UNION ALL (SELECT id, 1 FROM live WHERE intent = %s ORDER BY id LIMIT 100)
        UNION ALL (SELECT id, 2 FROM live WHERE state = %s ORDER BY id LIMIT 100)""",
        [[int(JobState.CANCELING), int(JobState.FAILING)], int(Intent.DRAIN), int(JobState.SUSPENDING)],
    )
    return Stopping(*([id_ for id_, kind in found if kind == which] for which in range(3)))


def open_stages(jobs: Collection[UUID]) -> list[int]:
    """Return the stages of jobs that have not ended, in their order."""
    found = rows.fetch("SELECT id FROM jobs_stage WHERE job_id = ANY(%s) AND ended_at IS NULL ORDER BY id", [list(jobs)])
    return [stage for (stage,) in found]


def needs(jobs: Collection[UUID]) -> dict[int, list[Need]]:
    """Return what the stages of jobs need, by stage; a stage that needs none is left out."""
    found = defaultdict(list)
    for consumer, *need in rows.fetch(
        """SELECT e.consumer_id, e.producer_id, e.exchange = 'pointwise', p.parallelism, p.counts[%s]
        FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id WHERE e.job_id = ANY(%s)""",
        [int(TaskState.CANCELED) + 1, list(jobs)],
    ):
        found[consumer].append(Need(*need))
    return found


def let_through(stages: Collection[int]) -> dict[int, list[tuple[float, int]]]:
    """Return when tasks of these stages were let through up to where."""
    found = rows.fetch("SELECT id, let_through::text FROM jobs_stage WHERE id = ANY(%s)", [list(stages)])
    return {stage: read_let_through(text) for stage, text in found}


def read_let_through(text: str | None) -> list[tuple[float, int]]:
    """Read when tasks of a stage were let through up to where."""
    return [(at, up_to) for at, up_to in json.loads(text or "[]")]


def write_let_through(marks: Mapping[int, list[tuple[float, int]]]) -> None:
    """Write when tasks of stages were let through up to where."""
    rows.execute(
        "UPDATE jobs_stage s SET let_through = c.marks::jsonb FROM unnest(%s::bigint[], %s::text[]) AS c(id, marks) "
        "WHERE s.id = c.id",
        rows.columns([(stage, json.dumps(each)) for stage, each in marks.items()], 2),
    )


def write_avoided(stage: int, avoided: str) -> None:
    """Write which nodes cannot run a stage."""
    rows.execute("UPDATE jobs_stage SET avoided = %s::jsonb WHERE id = %s", [avoided, stage])
