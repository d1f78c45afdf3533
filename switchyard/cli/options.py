"""Options and arguments that several commands share."""

from typing import Annotated

import typer

Job = Annotated[str, typer.Argument(metavar="JOB", help="Number or id of the job.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for programs; errors too, on standard error.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show progress until the job ends; the exit status tells how.")]
Reason = Annotated[str, typer.Option(help="Why; shown to whoever looks.")]
WaitForIt = Annotated[bool, typer.Option("--wait", help="Show progress until it has happened; the exit status tells.")]
