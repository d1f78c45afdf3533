"""The command `switchyard`: its table of commands.

What they do stands beside; what they may ask of a server, in switchyard.client.
"""

import sys
from importlib import metadata
from typing import Annotated

import typer

from switchyard.cli import agent, checkpoints, cluster, files, jobs, logs, operations, outcome, programs, queries

app = typer.Typer(
    help="Submit jobs to Switchyard, look at them, and steer the cluster.",
    epilog="Exit status: 0 done, 1 the job failed, 2 wrong use or description, 3 canceled, 4 no answer, 5 refused.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:  # noqa: FBT001  # as it is called
    if wanted:
        print(f"switchyard {metadata.version('switchyard')}")
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    server: Annotated[
        str | None,
        typer.Option(help="Address of the server (else SWITCHYARD_URL, else http://127.0.0.1:8000)."),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version and leave.")
    ] = False,
) -> None:
    """Submit jobs to Switchyard, look at them, and steer the cluster."""
    ctx.obj = server


for command in (
    jobs.submit,
    programs.run,
    jobs.wait,
    queries.jobs,
    queries.show,
    queries.results,
    logs.logs,
    files.files,
    queries.explain,
    jobs.cancel,
    jobs.release,
    jobs.checkpoint,
    jobs.savepoint,
    jobs.suspend,
    operations.operations,
    checkpoints.checkpoints,
    jobs.finish,
    jobs.retry,
    queries.nodes,
    queries.scheduler,
    cluster.pause,
    cluster.resume,
    cluster.drain,
    cluster.remove,
):
    app.command()(command)
app.add_typer(programs.programs, name="programs")
app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)(agent.agent)


def main() -> None:
    """Run the command line; an error is one message and an exit status, not a stack trace."""
    as_json = "--json" in sys.argv
    with outcome.explained(as_json=as_json):
        sys.exit(app(standalone_mode=not as_json))
