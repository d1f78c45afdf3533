"""Programs: upload archives, list them, and make jobs of them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from switchyard.answers import JobStatus, OperationStatus, ProgramStatus, decode
from switchyard.cli import operations
from switchyard.cli.jobs import Key, announce
from switchyard.cli.options import AsJson, Wait
from switchyard.cli.outcome import client
from switchyard.cli.screen import ago, emit, plain, say, table
from switchyard.client import Client
from switchyard.errors import Unpackable

SHOWN = 50
File = Annotated[Path, typer.Argument(metavar="FILE", help="An archive: .zip, .whl, .pyz, .tar.gz or .jar.")]
Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="Name of the program (its newest upload), or id.")]
Arguments = Annotated[list[str] | None, typer.Argument(metavar="[ARGUMENTS]", help="Arguments of the program, after --.")]
Entry = Annotated[
    str | None, typer.Option("--entry", help="Entry point, or module:function; the first one if none is named.")
]
Parallelism = Annotated[int | None, typer.Option("--parallelism", "-p", min=1, help="Tasks of stages that say none.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]

programs = typer.Typer(help="Upload programs, list them, delete them.", no_args_is_help=False)


@programs.callback(invoke_without_command=True)
def listed(ctx: typer.Context, *, limit: Limit = SHOWN, as_json: AsJson = False) -> None:
    """List programs, newest first, with their entry points."""
    if ctx.invoked_subcommand is not None:
        return
    with client(ctx) as server:
        found = list(server.programs(limit=limit))
    if as_json:
        emit(found)
        return
    table(("PROGRAM", "NAME", "BYTES", "ENTRY POINTS", "UPLOADED", "BY"), (_row(each) for each in found))


@programs.command()
def upload(ctx: typer.Context, file: File, *, as_json: AsJson = False) -> None:
    """Upload an archive; the same name again is another version."""
    with client(ctx) as server:
        try:
            kept = server.upload_program(file)
        except OSError as error:
            raise Unpackable(f"{file} cannot be read: {error.strerror}") from error
    if as_json:
        emit(kept)
    else:
        print(kept.id)


@programs.command()
def delete(ctx: typer.Context, program: Program) -> None:
    """Forget a program; jobs that were made of it keep what they need."""
    with client(ctx) as server:
        server.delete_program(program)


@programs.command()
def plan(
    ctx: typer.Context,
    program: Program,
    arguments: Arguments = None,
    *,
    entry: Entry = None,
    parallelism: Parallelism = None,
) -> None:
    """Write the description of the job that `run` would submit, as JSON."""
    with client(ctx) as server:
        asked = server.ask_program("plan", program, entry, arguments or (), parallelism)
        told = _called(server, asked, as_json=False) if isinstance(asked, OperationStatus) else asked
    print(json.dumps(told["description"], indent=2, ensure_ascii=False))


def run(
    ctx: typer.Context,
    program: Program,
    arguments: Arguments = None,
    *,
    entry: Entry = None,
    parallelism: Parallelism = None,
    wait: Wait = False,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Submit the job of a program: switchyard run wordcount.zip --entry count -- --text a.txt

    An entry point module:function is called on an agent, with the arguments as a list.
    """
    with client(ctx) as server:
        asked = server.ask_program("run", program, entry, arguments or (), parallelism, key)
        if isinstance(asked, OperationStatus):
            job = server.job(_called(server, asked, as_json=as_json)["id"])
        else:
            job = decode(JobStatus, asked)
        announce(server, job, wait=wait, as_json=as_json)


def _called(server: Client, asked: OperationStatus, *, as_json: bool) -> Any:
    """Wait until an agent has called a function, and return what came of it."""
    say(plain(f"An agent calls {asked.arguments['entry']}: {server.url}/ui/jobs/{asked.job_number}"))
    return operations.outcome(server, asked, as_json=as_json)


def _row(program: ProgramStatus) -> tuple[Any, ...]:
    entries = ", ".join(each.name for each in program.entries) or program.fault or "none"
    return program.id, program.name, f"{program.size:,}", entries, ago(program.uploaded_at), program.uploaded_by
