"""Submitting: store a job with all its tasks in one transaction, so that a 201 means it is there for good."""

import json
import time
import uuid
from typing import Any

from celery import current_app
from django.db import transaction

from agent import transport
from agent.messages import HINT_QUEUE, HINT_TASK
from jobs import rows
from jobs.expanding import insert_tasks
from jobs.models import Job, JobType
from jobs.repeating import digest
from nodes.selectors import node_views
from scheduling.cluster import Cluster
from scheduling.indexes import IndexSet
from scheduling.lifecycle import TaskState
from scheduling.plan import Request, infeasible
from scheduling.resources import Resources
from scheduling.spec import Exchange, JobSpec, StageSpec, to_json


def submit(
    spec: JobSpec,
    *,
    owner: int | None = None,
    idempotency_key: str | None = None,
    retried_from: uuid.UUID | None = None,
) -> Job:
    """Store a job and tell the scheduler."""
    begun = time.perf_counter()
    stages = list(spec.in_order())
    stored = to_json(spec)
    described = digest(stored) if idempotency_key else ""
    stage_specs = {stage["name"]: stage for stage in stored.pop("stages")}
    with transaction.atomic():
        job = _insert_job(
            spec,
            stored,
            owner=owner,
            idempotency_key=idempotency_key,
            description_digest=described,
            retried_from=retried_from,
        )
        ids = _insert_stages(job, stages, stage_specs)
        _insert_edges(job, stages, ids)
        insert_tasks([(ids[stage.name], stage.tasks or 0) for stage in stages])
        _flag_infeasible(job, spec, ids)
        Job.objects.filter(id=job.id).update(planning_ms=(time.perf_counter() - begun) * 1000)
        transaction.on_commit(hint)
    return job


def hint() -> None:
    """Tell the scheduler to look at once; without it, it looks within a second."""
    transport.send(current_app, HINT_TASK, None, HINT_QUEUE)


def _insert_job(
    spec: JobSpec,
    stored: dict[str, Any],
    *,
    owner: int | None,
    idempotency_key: str | None,
    description_digest: str,
    retried_from: uuid.UUID | None,
) -> Job:
    name, version = (spec.type.name, spec.type.version or "1") if spec.type else ("job", "1")
    job_type, _ = JobType.objects.get_or_create(name=name, version=version)
    ((number, now),) = rows.fetch("SELECT nextval('jobs_job_number'), now()")
    return Job.objects.create(
        number=number,
        name=spec.name,
        job_type=job_type,
        owner_id=owner,
        priority=spec.priority,
        pool=spec.pool,
        spec=stored,
        max_failures=spec.max_failures,
        stages_total=len(spec.stages),
        idempotency_key=idempotency_key,
        description_digest=description_digest,
        retried_from_id=retried_from,
        created_at=now,
    )


def _insert_stages(job: Job, stages: list[StageSpec], specs: dict[str, Any]) -> dict[str, int]:
    pointwise = {need.stage for stage in stages for need in stage.upstreams if need.exchange is Exchange.POINTWISE}
    values = rows.columns(
        (
            _stage_values(job.id, position, stage, specs[stage.name], pointwise=stage.name in pointwise)
            for position, stage in enumerate(stages)
        ),
        11,
    )
    found = rows.fetch(
        """INSERT INTO jobs_stage (job_id, position, name, spec, demand, parallelism, open_needs, feeds_pointwise, unplaced,
            counts, blocked, delayed, spent, done, run_seconds)
        SELECT c.job_id, c.position, c.name, c.spec::jsonb, c.demand::jsonb, c.parallelism, c.open_needs, c.pointwise,
            c.unplaced::int4multirange, c.counts::int[], c.blocked::int4multirange, '{}', '{}', '{}', 0
        FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::text[], %s::text[], %s::int[], %s::int[], %s::bool[], %s::text[],
            %s::text[], %s::text[])
            AS c(job_id, position, name, spec, demand, parallelism, open_needs, pointwise, unplaced, counts, blocked)
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


def _insert_edges(job: Job, stages: list[StageSpec], ids: dict[str, int]) -> None:
    edges = [(job.id, ids[need.stage], ids[stage.name], need.exchange.value) for stage in stages for need in stage.upstreams]
    if edges:
        rows.execute(
            "INSERT INTO jobs_edge (job_id, producer_id, consumer_id, exchange) "
            "SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[])",
            rows.columns(edges, 4),
        )


def _flag_infeasible(job: Job, spec: JobSpec, ids: dict[str, int]) -> None:
    """Say at once which stages no registered node could ever run; they wait all the same, for a node may come."""
    requests = [
        Request(
            stage=ids[stage.name],
            job=job.number,
            pool=spec.pool,
            count=stage.tasks or 1,
            demand=Resources(stage.resources),
            submitted=job.number,
            waiting_since=0,
            constraints=spec.constraints,
            gang_size=(stage.tasks or 1) if stage.gang else 0,
        )
        for stage in spec.stages
    ]
    refused = infeasible(Cluster(node_views()), requests)
    if refused:
        rows.execute(
            "UPDATE jobs_stage s SET refusal = c.refusal::jsonb, refused_at = now() "
            "FROM unnest(%s::bigint[], %s::text[]) AS c(id, refusal) WHERE s.id = c.id",
            rows.columns(((stage, json.dumps(refusal.to_dict())) for stage, refusal in refused.items()), 2),
        )
