"""The command `agent`: becomes the agent's process, which explains its own options."""

import os
import sys

import typer


def agent(ctx: typer.Context) -> None:
    """Run an agent on this machine; its own options follow (switchyard agent --help)."""
    given = ("--server", ctx.obj) if ctx.obj else ()
    os.execv(sys.executable, (sys.executable, "-m", "agent", *given, *ctx.args))
