"""Commands that look: jobs, show, results, explain, nodes, scheduler."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from switchyard.answers import JobStatus, NodeStatus, StageStatus
from switchyard.cli.endings import readable, tell_failures
from switchyard.cli.options import AsJson, Job
from switchyard.cli.outcome import client
from switchyard.cli.screen import ago, emit, facts, lasted, plain, say, table

JOBS_SHOWN = 20
States = Annotated[list[str] | None, typer.Option("--state", help="Only jobs in this state; may be repeated.")]
Search = Annotated[str | None, typer.Option(help="Only jobs with this in name, number or id.")]
Owner = Annotated[str | None, typer.Option(help="Only jobs of this user.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
StageName = Annotated[str | None, typer.Argument(metavar="[STAGE]", help="Only of this stage.")]
Index = Annotated[int | None, typer.Argument(metavar="[INDEX]", help="Only of this task.", min=0)]
Raw = Annotated[
    bool, typer.Option("--raw", help="Write each result on its own; one that is a text as it is, without quotes.")
]


def jobs(
    ctx: typer.Context,
    *,
    state: States = None,
    search: Search = None,
    owner: Owner = None,
    limit: Limit = JOBS_SHOWN,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    asked = {"state": [each.upper() for each in state or ()], "search": search, "owner": owner}
    with client(ctx) as server:
        found = list(server.jobs(limit=limit, **{name: value for name, value in asked.items() if value}))
    if as_json:
        emit(found)
        return
    columns = ("JOB", "STATE", "TASKS", "STAGES", "PRIORITY", "OWNER", "SUBMITTED", "TOOK", "NAME")
    table(columns, (_job_row(job) for job in found))


def show(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Show a job, its stages, and what failed."""
    with client(ctx) as server:
        found = server.job(job)
        if as_json:
            emit(found)
            return
        facts(_facts(found))
        print()
        columns = ("STAGE", "STATE", "FINISHED", "ENDED", "RUNNING", "FAILED", "NEEDS", "TOOK", "WAITS BECAUSE")
        table(columns, (_stage_row(stage) for stage in found.stages))
        tell_failures(server, found)


def results(
    ctx: typer.Context,
    job: Job,
    stage: StageName = None,
    index: Index = None,
    *,
    raw: Raw = False,
    as_json: AsJson = False,
) -> None:
    """Write the results of the last stages, of one stage, or of one task, as JSON."""
    with client(ctx) as server:
        if stage is None:
            value: Any = {name: list(values) for name, values in server.results(job).results.items()}
            each = [result for values in value.values() for result in values]
        elif index is None:
            each = value = list(server.stage_results(job, stage).results)
        else:
            value = server.result(job, stage, index)
            each = [value]
    if raw and not as_json:
        for result in each:
            print(readable(result))
    else:
        print(json.dumps(value, indent=2, ensure_ascii=False))


def explain(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Say why a job is not further than it is."""
    with client(ctx) as server:
        told = server.explain(job)
    if as_json:
        emit(told)
        return
    print(f"The job is {told.state}" + ("." if told.stages else "; none of its tasks waits."))
    for stage in told.stages:
        print(plain("\n  ".join([f"{stage.stage}:", *stage.reasons])))


def nodes(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """List the nodes, what they have, and what is taken."""
    with client(ctx) as server:
        found = list(server.nodes())
    if as_json:
        emit(found)
        return
    if not found:
        say("There are no nodes. An agent makes its machine one: switchyard agent --help")
    table(("NODE", "STATE", "POOL", "RUNNING", "CPUS", "MEM", "HEARD", "CONDITIONS"), (_node_row(node) for node in found))


def scheduler(ctx: typer.Context, *, as_json: AsJson = False) -> None:
    """Show whether the scheduler starts tasks, how it chooses, and who leads."""
    with client(ctx) as server:
        told = server.scheduler()
    if as_json:
        emit(told)
        return
    leader = f"{told.leader.holder} (epoch {told.leader.epoch})" if told.leader.alive else "none"
    named = (("state", told.state), ("reason", told.pause_reason), ("leader", leader))
    pools = ((f"allocation of {pool}", algorithm) for pool, algorithm in sorted(told.allocation_of.items()))
    facts((*named, ("strategy", told.strategy), ("allocation", told.allocation), *pools))


def _job_row(job: JobStatus) -> tuple[Any, ...]:
    stages = f"{job.stages_ended}/{job.stages_total}"
    owner = job.owner or ""
    tasks = f"{job.tasks_ended}/{job.tasks['total']}"
    return job.number, job.state, tasks, stages, job.priority, owner, ago(job.created_at), _took(job), job.name


def _facts(job: JobStatus) -> tuple[tuple[str, Any], ...]:
    kind = f"{job.type}:{job.type_version}" if job.type else ""
    return (
        ("job", f"{job.number} {job.name}"),
        ("id", job.id),
        ("state", job.state),
        ("held", job.held_reason),
        ("draining", _draining(job)),
        ("suspended", _suspended(job)),
        ("error", job.error),
        ("type", kind),
        ("owner", job.owner),
        ("pool, priority", f"{job.pool}, {job.priority}"),
        ("submitted", ago(job.created_at)),
        ("took", _took(job)),
        *(("infeasible", f"{each.stage}: {each.reason}") for each in job.infeasible),
    )


def _draining(job: JobStatus) -> str:
    return "nothing more begins at its sources" if job.draining and not job.ended_at else ""


def _suspended(job: JobStatus) -> str:
    if job.suspended is None:
        return ""
    because = f": {job.suspended.reason}" if job.suspended.reason else ""
    return f"by {job.suspended.by}, {ago(job.suspended.at)}{because}"


def _stage_row(stage: StageStatus) -> tuple[Any, ...]:
    needs = ", ".join(need.stage for need in stage.needs)
    ended = f"{stage.ended}/{stage.parallelism}"
    finished, failed = (stage.tasks.get(state, 0) for state in ("FINISHED", "FAILED"))
    refusal = " ".join(stage.refusal)
    return stage.name, stage.state, finished, ended, stage.running, failed, needs, _took(stage), refusal


def _node_row(node: NodeStatus) -> tuple[Any, ...]:
    cpus, mem = node.resources.get("cpus"), node.resources.get("mem")
    held = f"{cpus.held / 1000:g}/{cpus.total / 1000:g}" if cpus else ""
    memory = f"{mem.held:,}/{mem.total:,} MiB" if mem else ""
    why = f"paused: {node.pause_reason}" if node.pause_reason else ""
    conditions = "; ".join(filter(None, (why, *(each.title or each.name for each in node.conditions))))
    return node.name, node.state, node.pool, node.running, held, memory, ago(node.heard_at), conditions


def _took(what: JobStatus | StageStatus) -> str:
    if what.started_at is None:
        return ""
    return lasted((what.ended_at or datetime.now(UTC)) - what.started_at)
