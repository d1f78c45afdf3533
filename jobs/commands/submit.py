"""Submit a job: store it with all its tasks in one transaction, so that a 201 means that it is stored."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import transaction
from prometheus_client import Counter

from artifacts import references
from artifacts.kinds import Kind
from artifacts.storage import storage
from database import rows
from jobs.commands.idempotency import Repeat
from jobs.inbox import Hint
from jobs.models import JobType
from jobs.store import items
from jobs.store.exact import parted
from jobs.store.expansion import insert_tasks
from jobs.store.quotas import require_room
from nodes import events
from nodes.selectors import ask_views
from switchyard.messaging import transport
from switchyard.messaging.messages import HINT_QUEUE, HINT_TASK
from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import submission
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.refusals import Refusal
from switchyard.scheduling.spec import Exchange, JobSpec, StageSpec, to_json

DROPPED = Counter("switchyard_hints_dropped", "Hints of this process that the broker did not take.")
INSERT_JOB = """INSERT INTO jobs_job (id, number, name, job_type_id, owner_id, priority, pool, spec, config, state,
        held_reason, error, max_failures, failures, stages_total, stages_ended, planning_ms, idempotency_key,
        description_digest, retried_from_id, restored_from, created_at)
    VALUES (%(id)s, nextval('jobs_job_number'), %(name)s, %(type)s, %(owner)s::int, %(priority)s::int, %(pool)s,
        %(spec)s::jsonb, %(config)s::json, %(state)s::smallint, '', '', %(max_failures)s::int, 0, %(stages)s::int, 0,
        %(planning_ms)s::float8, %(key)s, %(digest)s, %(retried_from)s::uuid, %(restored_from)s::jsonb, now())"""


@dataclass(frozen=True, slots=True)
class Planned:
    """A job that is ready to be stored: its stages in order, each with its id, and why no node could ever run some."""

    spec: JobSpec
    job_type: int
    stages: list[tuple[int, StageSpec]]
    refused: Mapping[int, Refusal]
    planning_ms: float


def plan(spec: JobSpec) -> Planned:
    """Get a job ready to be stored, in the transaction that will store it: its type may be made here."""
    begun = time.perf_counter()
    stages = list(spec.in_order())
    with rows.together():
        ids, nodes = _ask_ids(spec, len(stages)), ask_views()
        [(known, drawn)], views = ids(), nodes()
    job_type = known or _make_type(spec)
    refused = submission.refused(spec, views)
    milliseconds = (time.perf_counter() - begun) * 1000
    return Planned(spec, job_type, list(zip(drawn, stages, strict=True)), refused, milliseconds)


def store(
    planned: Planned,
    *,
    owner: int | None = None,
    repeat: Repeat | None = None,
    retried_from: uuid.UUID | None = None,
    restored_from: Mapping[str, object] | None = None,
) -> uuid.UUID:
    """Store what was planned in the same transaction, tell the scheduler when that ends, and return the job's id.

    Raises psycopg's UniqueViolation if the owner has a job with this key: where the statements are sent together, then
    where their results are waited for.
    """
    id_, stored = uuid.uuid4(), to_json(planned.spec)
    specs = {stage["name"]: stage for stage in stored.pop("stages")}
    # Who retries or restores has asked for the room of what runs again.
    if owner is not None and retried_from is None and restored_from is None:
        require_room(owner, jobs=1, tasks=sum(stage.tasks or 0 for _, stage in planned.stages))
    key, digest = (repeat.key, repeat.digest) if repeat else (None, "")
    values = {"id": id_, "owner": owner, "key": key, "digest": digest, "retried_from": retried_from}
    values["restored_from"] = json.dumps(restored_from) if restored_from else None
    _insert_job(planned, stored, values)
    _insert_stages(id_, planned, specs)
    _insert_items(planned.stages, specs)
    _insert_edges(id_, planned.stages)
    insert_tasks([(stage_id, stage.tasks or 0) for stage_id, stage in planned.stages])
    _keep_programs(id_, planned.spec)
    events.record([Told("job_submitted", f"The job was submitted, with {len(planned.stages):,} stages.", id_)])
    transaction.on_commit(hint)
    return id_


def _keep_programs(job: uuid.UUID, spec: JobSpec) -> None:
    """Keep the programs of a job as long as the job; raise InvalidSpec for one that is not stored."""
    if not any(stage.program for stage in spec.stages):
        return
    references.refer(Kind.JOB, [(job, stage.program.digest) for stage in spec.stages if stage.program])
    # What is sent together is done by then, so that nobody deletes the files any more.
    rows.now()
    absent = storage().missing({stage.program.digest for stage in spec.stages if stage.program})
    gone = [at for at, stage in enumerate(spec.stages) if stage.program and stage.program.digest in absent]
    if gone:
        raise InvalidSpec([Fault(f"stages[{at}].program", "is not stored here; upload it again") for at in gone])


def hint(what: Hint = Hint.PLACE) -> None:
    """Tell the scheduler to look at once; without it, it looks within a second."""
    if not transport.send(current_app, HINT_TASK, what, HINT_QUEUE):
        DROPPED.inc()


def _type(spec: JobSpec) -> tuple[str, str]:
    return (spec.type.name, spec.type.version or "1") if spec.type else ("job", "1")


def _ask_ids(spec: JobSpec, count: int) -> rows.Answer[list[tuple[int | None, list[int]]]]:
    """Ask for the type's id, and draw those of stages, so that what refers to them need not wait for their rows."""
    return rows.execute(
        """SELECT (SELECT id FROM jobs_jobtype WHERE name = %s AND version = %s),
            array(SELECT nextval('jobs_stage_id_seq') FROM generate_series(1, %s))""",
        [*_type(spec), count],
    ).fetchall


def _make_type(spec: JobSpec) -> int:
    name, version = _type(spec)
    made, _ = JobType.objects.get_or_create(name=name, version=version)
    return made.id


def _insert_job(planned: Planned, stored: dict[str, Any], values: dict[str, Any]) -> None:
    spec = planned.spec
    told = values | {
        "type": planned.job_type,
        "name": spec.name,
        "priority": spec.priority,
        "pool": spec.pool,
        "spec": json.dumps({name: value for name, value in stored.items() if name != "config"}),
        "config": json.dumps(stored.get("config")),
        "state": int(JobState.CREATED),
        "max_failures": spec.max_failures,
        "stages": len(spec.stages),
        "planning_ms": planned.planning_ms,
    }
    rows.execute(INSERT_JOB, told)


def _insert_stages(job: uuid.UUID, planned: Planned, specs: dict[str, Any]) -> None:
    needs = [need for _, stage in planned.stages for need in stage.upstreams]
    pointwise = {need.stage for need in needs if need.exchange is Exchange.POINTWISE}
    buffers = submission.smallest_buffers(needs)
    refused = planned.refused
    values = [
        {
            "id": id_,
            "position": position,
            **_stage_values(stage, specs[stage.name]),
            "feeds_pointwise": stage.name in pointwise,
            "blocked": submission.blocked_at_first(stage, buffers.get(stage.name)).to_multirange(),
            "buffered": stage.name in buffers or any(need.buffer for need in stage.needs),
            "refusal": refused[position].to_dict() if position in refused else None,
        }
        for position, (id_, stage) in enumerate(planned.stages)
    ]
    # Much of it is JSON of its own: here one text of all costs less than a column for each.
    rows.execute(
        """INSERT INTO jobs_stage (id, job_id, position, name, spec, given, demand, parallelism, open_needs, feeds_pointwise,
            unplaced, counts, blocked, delayed, spent, done, run_seconds, buffered, refusal, refused_at)
        SELECT c.id, %s::uuid, c.position, c.name, c.spec, c.given, c.demand, c.parallelism, c.open_needs, c.feeds_pointwise,
            c.unplaced::int4multirange, c.counts, c.blocked::int4multirange, '{}', '{}', '{}', 0,
            c.buffered, c.refusal, CASE WHEN c.refusal IS NOT NULL THEN now() END
        FROM json_to_recordset(%s::json) AS c(id bigint, position int, name text, spec jsonb, given json, demand jsonb,
            parallelism int, open_needs int, feeds_pointwise bool, unplaced text, counts int[], blocked text, buffered bool,
            refusal jsonb)""",
        [job, json.dumps(values)],
    )


def _insert_items(stages: list[tuple[int, StageSpec]], specs: dict[str, Any]) -> None:
    """Write in parts, too, what stages run over, where that is long: agents are given theirs without reading all."""
    for id_, stage in stages:
        given = specs[stage.name].get("foreach")
        if isinstance(given, list) and len(json.dumps(given)) > items.SHORT:
            items.write(id_, given)


def _stage_values(stage: StageSpec, spec: dict[str, Any]) -> dict[str, Any]:
    count = stage.tasks or 0
    kept, given = parted(spec)
    return {
        "name": stage.name,
        "spec": kept,
        "given": given,
        "demand": dict(stage.resources),
        "parallelism": count,
        "open_needs": submission.open_needs(stage),
        "unplaced": IndexSet.span(0, count).to_multirange(),
        "counts": submission.counts_at_first(count),
    }


def _insert_edges(job: uuid.UUID, stages: list[tuple[int, StageSpec]]) -> None:
    ids = {stage.name: id_ for id_, stage in stages}
    edges = [
        (job, ids[need.stage], id_, need.exchange.value, need.buffer) for id_, stage in stages for need in stage.upstreams
    ]
    if edges:
        rows.execute(
            "INSERT INTO jobs_edge (job_id, producer_id, consumer_id, exchange, buffer) "
            "SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::int[])",
            rows.columns(edges, 5),
        )
