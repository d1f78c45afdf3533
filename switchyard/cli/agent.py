"""The command `agent`: becomes the agent's process, which explains its own options."""

import os
import sys

import typer

from switchyard.configuration import find


def agent(ctx: typer.Context) -> None:
    """Run an agent on this machine; its own options follow (switchyard agent --help)."""
    server = find(os.environ, ctx.obj).url
    os.execv(sys.executable, (sys.executable, "-m", "switchyard.agent", "--server", server, *ctx.args))
