"""Submitting: store a job with all its tasks in one transaction, so that a 201 means it is there for good."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from celery import current_app
from django.db import transaction

from agent import transport
from agent.messages import HINT_QUEUE, HINT_TASK
from database import rows
from jobs.expanding import insert_tasks
from jobs.models import JobType
from jobs.quotas import require_room
from jobs.repeating import digest
from nodes import events
from nodes.selectors import node_views
from scheduling.cluster import Cluster
from scheduling.indexes import IndexSet
from scheduling.lifecycle import JobState, TaskState
from scheduling.plan import Request, infeasible
from scheduling.refusals import Refusal
from scheduling.resources import Resources
from scheduling.spec import Exchange, JobSpec, StageSpec, to_json

INSERT_JOB = """WITH type AS (SELECT id FROM jobs_jobtype WHERE name = %(type)s AND version = %(version)s)
    INSERT INTO jobs_job (id, number, name, job_type_id, owner_id, priority, pool, spec, state, held_reason, error,
        max_failures, failures, stages_total, stages_ended, planning_ms, idempotency_key, description_digest,
        retried_from_id, created_at)
    SELECT %(id)s, nextval('jobs_job_number'), %(name)s, type.id, %(owner)s::int, %(priority)s::int, %(pool)s,
        %(spec)s::jsonb, %(state)s::smallint, '', '', %(max_failures)s::int, 0, %(stages)s::int, 0,
        %(planning_ms)s::float8, %(key)s, %(digest)s, %(retried_from)s::uuid, now()
    FROM type RETURNING 1"""


def submit(
    spec: JobSpec,
    *,
    owner: int | None = None,
    idempotency_key: str | None = None,
    retried_from: uuid.UUID | None = None,
) -> uuid.UUID:
    """Store a job, tell the scheduler, and return the job's id.

    Raises psycopg's UniqueViolation if the owner has a job with this key.
    """
    begun = time.perf_counter()
    stored = to_json(spec)
    digested = digest(stored) if idempotency_key else ""
    stage_specs = {stage["name"]: stage for stage in stored.pop("stages")}
    id_, stages = uuid.uuid4(), list(spec.in_order())
    with transaction.atomic(savepoint=False):
        if owner is not None:
            require_room(owner, jobs=1, tasks=sum(stage.tasks or 0 for stage in stages))
        refused = _refused(spec, stages)
        values = {
            "id": id_,
            "owner": owner,
            "key": idempotency_key,
            "digest": digested,
            "retried_from": retried_from,
            "planning_ms": (time.perf_counter() - begun) * 1000,
        }
        with rows.together():
            inserted, ids = _insert_job(spec, stored, values), _insert_stages(id_, stages, stage_specs, refused)
            _insert_edges(id_, stages, ids)
            insert_tasks([(ids[stage.name], stage.tasks or 0) for stage in stages])
            events.record([events.Told("job_submitted", f"The job was submitted, with {len(stages):,} stages.", id_)])
            known = inserted()
        if not known:
            # What refers to the job may be there before it: references are checked at the end.
            JobType.objects.get_or_create(name=_type(spec)[0], version=_type(spec)[1])
            _insert_job(spec, stored, values)
        transaction.on_commit(hint)
    return id_


def hint() -> None:
    """Tell the scheduler to look at once; without it, it looks within a second."""
    transport.send(current_app, HINT_TASK, None, HINT_QUEUE)


def _type(spec: JobSpec) -> tuple[str, str]:
    return (spec.type.name, spec.type.version or "1") if spec.type else ("job", "1")


def _insert_job(spec: JobSpec, stored: dict[str, Any], values: dict[str, Any]) -> rows.Answer[list[Any]]:
    """Store the job if its type is known; the answer is empty if it is not."""
    name, version = _type(spec)
    told = values | {
        "type": name,
        "version": version,
        "name": spec.name,
        "priority": spec.priority,
        "pool": spec.pool,
        "spec": json.dumps(stored),
        "state": int(JobState.CREATED),
        "max_failures": spec.max_failures,
        "stages": len(spec.stages),
    }
    return rows.execute(INSERT_JOB, told).fetchall


def _insert_stages(
    job: uuid.UUID, stages: list[StageSpec], specs: dict[str, Any], refused: Mapping[int, Refusal]
) -> dict[str, int]:
    pointwise = {need.stage for stage in stages for need in stage.upstreams if need.exchange is Exchange.POINTWISE}
    values = rows.columns(
        (
            (
                *_stage_values(job, position, stage, specs[stage.name], pointwise=stage.name in pointwise),
                json.dumps(refused[position].to_dict()) if position in refused else None,
            )
            for position, stage in enumerate(stages)
        ),
        12,
    )
    found = rows.fetch(
        """INSERT INTO jobs_stage (job_id, position, name, spec, demand, parallelism, open_needs, feeds_pointwise, unplaced,
            counts, blocked, delayed, spent, done, run_seconds, refusal, refused_at)
        SELECT c.job_id, c.position, c.name, c.spec::jsonb, c.demand::jsonb, c.parallelism, c.open_needs, c.pointwise,
            c.unplaced::int4multirange, c.counts::int[], c.blocked::int4multirange, '{}', '{}', '{}', 0,
            c.refusal::jsonb, CASE WHEN c.refusal IS NOT NULL THEN now() END
        FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bool[], %s::text[],
            %s::text[], %s::text[], %s::text[])
            AS c(job_id, position, name, spec, demand, parallelism, open_needs, pointwise, unplaced, counts, blocked, refusal)
        RETURNING name, id""",
        values,
    )
    return dict(found)


def _stage_values(
    job: uuid.UUID, position: int, stage: StageSpec, spec: dict[str, Any], *, pointwise: bool
) -> tuple[Any, ...]:
    count = stage.tasks or 0
    counts = [0] * len(TaskState)
    counts[TaskState.CREATED] = count
    return (
        job,
        position,
        stage.name,
        json.dumps(spec),
        json.dumps(dict(stage.resources)),
        count,
        sum(need.exchange is Exchange.ALL for need in stage.upstreams),
        pointwise,
        IndexSet.span(0, count).to_multirange(),
        "{" + ",".join(map(str, counts)) + "}",
        IndexSet.span(
            0, count if any(need.exchange is Exchange.POINTWISE for need in stage.upstreams) else 0
        ).to_multirange(),
    )


def _insert_edges(job: uuid.UUID, stages: list[StageSpec], ids: dict[str, int]) -> None:
    edges = [(job, ids[need.stage], ids[stage.name], need.exchange.value) for stage in stages for need in stage.upstreams]
    if edges:
        rows.execute(
            "INSERT INTO jobs_edge (job_id, producer_id, consumer_id, exchange) "
            "SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[])",
            rows.columns(edges, 4),
        )


def _refused(spec: JobSpec, stages: list[StageSpec]) -> Mapping[int, Refusal]:
    """Say by position which stages no registered node could ever run; they wait all the same, for a node may come."""
    requests = [
        Request(
            stage=position,
            job=0,
            pool=spec.pool,
            count=stage.tasks or 1,
            demand=Resources(stage.resources),
            submitted=0,
            waiting_since=0,
            constraints=spec.constraints,
            gang_size=(stage.tasks or 1) if stage.gang else 0,
        )
        for position, stage in enumerate(stages)
    ]
    return infeasible(Cluster(node_views()), requests)
