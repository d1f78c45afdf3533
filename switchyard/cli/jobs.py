"""Commands that make jobs and end them: submit, retry, cancel, release, savepoint, suspend, finish, wait."""

from typing import Annotated, Any

import typer

from switchyard.answers import JobStatus, encode
from switchyard.cli import operations, progress, retrying
from switchyard.cli.endings import tell_end
from switchyard.cli.options import AsJson, Job, Reason, Wait, WaitForIt
from switchyard.cli.outcome import INTERRUPTED, client, leave_as
from switchyard.cli.screen import emit, plain, say
from switchyard.client import Client
from switchyard.descriptions import described

Description = Annotated[str, typer.Argument(metavar="FILE", help="Job description, YAML or JSON; - reads standard input.")]
Key = Annotated[str | None, typer.Option("--key", help="Idempotency key: the same key never makes a second job.")]

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the description, as stages.train.resources.mem=8GiB; a value is JSON, else text. May be repeated.",
    ),
]
NewDescription = Annotated[
    str | None, typer.Option("--file", metavar="FILE", help="Another job description; stages whose work is the same stand.")
]
From = Annotated[
    str | None, typer.Option(metavar="LOCATION", help="Start from a savepoint: what had finished stands, the rest goes on.")
]
Lenient = Annotated[bool, typer.Option(help="Leave out states of stages that the job does not have.")]
AndThen = Annotated[
    str, typer.Option(metavar="go_on|cancel|stop|drain", help="What becomes of the job: stop ends it at once, as FINISHED.")
]
Directory = Annotated[str | None, typer.Option(metavar="DIRECTORY", help="Below which of the allowed folders it is written.")]
Dispose = Annotated[int | None, typer.Option(metavar="NUMBER", help="Delete this savepoint instead.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be reused and what would run; submit nothing.")]


def submit(
    ctx: typer.Context,
    file: Description,
    *,
    savepoint: From = None,
    allow_non_restored: Lenient = False,
    wait: Wait = False,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Submit a job. Local files that it names under `files` go along with it (docs/cli.md)."""
    description = described(file)
    how: dict[str, Any] = {"savepoint": savepoint, "allow_non_restored": allow_non_restored}
    with client(ctx) as server:
        job = server.submit(description, idempotency_key=key, **how)
        announce(server, job, wait=wait, as_json=as_json)


def retry(
    ctx: typer.Context,
    job: Job,
    *,
    changes: Changes = None,
    file: NewDescription = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Submit what failed of a job again, edited if wanted, as a new job in which the finished tasks stand."""
    edit: dict[str, Any] = {"changes": retrying.read(changes or ()), "description": described(file) if file else None}
    with client(ctx) as server:
        if dry_run:
            retrial = server.preview_retry(job, **edit)
            emit(retrial) if as_json else print("\n".join(retrying.preview(retrial)))
            return
        made = server.retry(job, **edit, idempotency_key=key)
        for line in retrying.reuse(made):
            say(line)
        announce(server, made, wait=wait, as_json=as_json)


def wait(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Show progress until a job ends; the exit status tells how."""
    with client(ctx) as server:
        _attend(server, server.job(job), as_json=as_json)


def cancel(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Cancel a job: what has begun is told to end, and killed after its grace."""
    with client(ctx) as server:
        told = server.cancel(job)
    if as_json:
        emit(told)
    else:
        print(f"Job {told.number} is {told.state}")


def release(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Let a job go on that is held, once what held it is mended."""
    with client(ctx) as server:
        told = server.release(job)
    if as_json:
        emit(told)
    else:
        print(f"Job {told.number} is {told.state}{' and held' if told.held_reason else ''}")


def checkpoint(ctx: typer.Context, job: Job, *, wait: WaitForIt = False, as_json: AsJson = False) -> None:
    """Save the states of all running tasks of a job together, to go on from."""
    with client(ctx) as server:
        asked = server.checkpoint(job)
        if wait:
            operations.attend(server, asked, as_json=as_json)
        elif as_json:
            emit(asked)
        else:
            print(f"A checkpoint of job {asked.job_number} is under way: switchyard operations {asked.id}")


def savepoint(
    ctx: typer.Context,
    job: Job,
    *,
    then: AndThen = "go_on",
    to: Directory = None,
    dispose: Dispose = None,
    wait: WaitForIt = False,
    as_json: AsJson = False,
) -> None:
    """Write a savepoint of a job, from which another may start (`submit --savepoint`); or dispose of one."""
    with client(ctx) as server:
        if dispose is not None:
            server.dispose(job, dispose)
            say(f"Savepoint {dispose} of job {job} is deleted")
            return
        asked = server.savepoint(job, then=then, directory=to)
        if wait:
            operations.attend(server, asked, as_json=as_json)
        elif as_json:
            emit(asked)
        else:
            print(f"A savepoint of job {asked.job_number} is under way: switchyard operations {asked.id}")


def suspend(ctx: typer.Context, job: Job, *, reason: Reason = "", wait: WaitForIt = False, as_json: AsJson = False) -> None:
    """Let nothing of a job run until `resume --job`: what runs is ended as by cancel, and run again then."""
    with client(ctx) as server:
        told = server.suspend(job, reason)
        if wait and told.operation is not None:
            operations.attend(server, told.operation, as_json=as_json)
        elif as_json:
            emit(told)
        else:
            print(f"Job {told.number} is {told.state}")


def finish(ctx: typer.Context, job: Job, *, as_json: AsJson = False) -> None:
    """Let a job end early: nothing more begins at its sources, and what has begun is worked off."""
    with client(ctx) as server:
        told = server.drain(job)
    if as_json:
        emit(told)
    else:
        print(f"Job {told.number} is {told.state}{' and drains' if told.draining and not told.has_ended else ''}")


def announce(server: Client, job: JobStatus, *, wait: bool, as_json: bool) -> None:
    """Tell of a job that was submitted, and of its end if that is waited for."""
    say(plain(f"Job {job.number} is submitted: {server.url}/ui/jobs/{job.number}"))
    for each in job.infeasible:
        say(plain(f"No node could ever run stage {each.stage}: {each.reason}"))
    if wait:
        _attend(server, job, as_json=as_json)
    elif as_json:
        emit(job)
    else:
        print(job.number)


def _attend(server: Client, job: JobStatus, *, as_json: bool) -> None:
    try:
        ended = progress.follow(server, job)
    except KeyboardInterrupt:
        say(f"Job {job.number} goes on. To stop it: switchyard cancel {job.number}")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        emit(encode(ended) | {"results": encode(server.results(ended.id))["results"]})
    else:
        tell_end(server, ended)
    leave_as(ended)
