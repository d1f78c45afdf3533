"""The facts that keep a job's stages from running; switchyard.scheduling.explain turns them into sentences."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from database import rows
from jobs.models import Edge, Job, JobType, Stage
from jobs.reading.backpressure import Held, held_back
from jobs.store.records import RECORDS
from nodes.reading import scheduler
from switchyard.scheduling.allocation.base import ALGORITHMS, Order
from switchyard.scheduling.explain import Facts, Listed, explain
from switchyard.scheduling.lifecycle import targets
from switchyard.scheduling.lifecycle.rows import Switches
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, JOB_SUSPENDED, LISTED, JobState, TaskState
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.refusals import Refusal

#: Jobs of a type that count toward its limit.
_RUNNING = Q(started_at__isnull=False, ended_at__isnull=True)


def explain_job(job: UUID, *, now: datetime) -> dict[str, Any] | None:
    """Return the reasons for each stage of a job that has tasks which wait, or None if there is no such job."""
    row = Job.objects.select_related("job_type").filter(id=job).first()
    if row is None:
        return None
    shared = _shared(row)
    waits, held, listed = _unfinished_needs(job), held_back(job), _listed(job, now)
    goes_on = row.state in JOB_STARTABLE
    stages = Stage.objects.filter(job_id=job, ended_at=None).order_by("position")
    found = stages.values("id", "name", "counts", "next_due", "refusal", "spec__gang")
    return {
        "state": JobState(row.state).name,
        "stages": [
            {
                "stage": stage["name"],
                "reasons": explain(_facts(dict(stage), waits, held, listed, shared, goes_on=goes_on), now=now),
            }
            for stage in found
            if stage["counts"][TaskState.CREATED] or waits.get(stage["id"]) or listed.get(stage["id"])
        ],
    }


def _shared(job: Job) -> dict[str, Any]:
    switches = scheduler()
    kind = job.job_type
    chosen = Switches(switches["paused"], switches["strategy"], switches["allocation"], switches["allocation_of"])
    order = ALGORITHMS[chosen.algorithm(job.pool)].order
    return {
        "job_type": str(kind),
        "scheduler_paused": switches["pause_reason"] if switches["paused"] else None,
        "job_type_paused": kind.pause_reason if kind.paused else None,
        "job_type_limit": _limit_reached(job, kind),
        "job_held": job.held_reason or None,
        "job_suspended": _suspended(job) if job.state in JOB_SUSPENDED else None,
        "jobs_ahead": _jobs_ahead(job, order) if order else 0,
        "target": _target_reached(job, chosen) if order is None else None,
    }


def _suspended(job: Job) -> str:
    since = f"{job.suspended_at:%Y-%m-%d %H:%M:%S} UTC" if job.suspended_at else "its last change"
    return f"by {job.suspended_by} since {since}{f': {job.suspend_reason}' if job.suspend_reason else ''}"


def _limit_reached(job: Job, kind: JobType) -> int | None:
    if kind.max_running is None or job.started_at:
        return None
    running = Job.objects.filter(_RUNNING, job_type=kind).count()
    return kind.max_running if running >= kind.max_running else None


def _jobs_ahead(job: Job, order: Order) -> int:
    """Count the live jobs of the pool that come first and have tasks which wait for room that there may be."""
    earlier = Q(number__lt=job.number) if order is Order.OLDEST_FIRST else Q(number__gt=job.number)
    before = Q(priority__lt=job.priority) | Q(priority=job.priority) & earlier
    waiting = Stage.objects.filter(ended_at=None, open_needs=0, **{f"counts__{int(TaskState.CREATED)}__gt": 0})
    waiting = waiting.exclude(refusal__infeasible=True)
    live = Job.objects.filter(before, pool=job.pool, ended_at=None, held_reason="", job_type__paused=False)
    return live.filter(id__in=waiting.values("job_id")).count()


def _target_reached(job: Job, switches: Switches) -> str | None:
    """Return what the algorithm of its pool grants a job now, if it has as much."""
    work = UnitOfWork(RECORDS, now=0)
    work.take_rooms(RECORDS.ask_resources()())
    nodes = RECORDS.ask_nodes()()
    if job.pool not in targets.limiting_pools(nodes, switches):
        return None
    granted = targets.limited(RECORDS, [job.pool], switches, targets.capacities(nodes, work.rooms)).exhausted(job.id)
    return str(granted) if granted else None


def _unfinished_needs(job: UUID) -> dict[int, list[str]]:
    waits: dict[int, list[str]] = {}
    edges = Edge.objects.filter(job_id=job, producer__ended_at=None).order_by("producer__position")
    for consumer, producer in edges.values_list("consumer_id", "producer__name"):
        waits.setdefault(consumer, []).append(producer)
    return waits


def _listed(job: UUID, now: datetime) -> dict[int, list[Listed]]:
    """Return what waits on lists, by stage and node."""
    found: dict[int, list[Listed]] = {}
    for stage, *rest in rows.fetch(
        """SELECT a.stage_id, n.name, sum(a.waiting)::int,
            sum((SELECT coalesce(sum(upper(x) - lower(x)), 0) FROM unnest(a.held - a.started) AS x))::int,
            min(a.placed_at), coalesce(n.figures -> 'fetching' ->> a.stage_id::text, ''), n.silent_since
        FROM jobs_stage s JOIN jobs_assignment a ON a.stage_id = s.id JOIN nodes_node n ON n.id = a.node_id
        WHERE s.job_id = %s AND s.ended_at IS NULL GROUP BY a.stage_id, n.id ORDER BY a.stage_id, n.name""",
        [job],
    ):
        names = ("node", "queued", "due", "since", "fetching", "silent_since")
        listed = Listed(**dict(zip(names, rest, strict=True)))
        if (listed.queued or listed.due) and listed.is_waiting(now):
            found.setdefault(stage, []).append(listed)
    return found


def _facts(
    stage: dict[str, Any],
    waits: dict[int, list[str]],
    held: dict[int, Held],
    listed: dict[int, list[Listed]],
    shared: dict[str, Any],
    *,
    goes_on: bool,
) -> Facts:
    # What no node had room for when it was last to be placed says nothing of a job that is suspended.
    refusal = Refusal.from_dict(stage["refusal"]) if stage["refusal"] and not shared["job_suspended"] else None
    tasks, consumers, buffer = held.get(stage["id"], Held(0, (), 0))
    return Facts(
        **shared,
        waits_for=tuple(waits.get(stage["id"], ())),
        held_back=tasks,
        held_by=consumers,
        buffer=buffer,
        gang_ending=_ending(stage["counts"]) if goes_on and stage["spec__gang"] else 0,
        retry_at=stage["next_due"],
        listed=tuple(listed.get(stage["id"], ())),
        refusal=refusal,
    )


def _ending(counts: list[int]) -> int:
    """Count the members of a gang that are ended because another waits for the next attempt."""
    return sum(counts[state] for state in LISTED) if counts[TaskState.CREATED] else 0
