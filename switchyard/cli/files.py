"""The command that lists and downloads the files that tasks hand on."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from switchyard.answers import FileStatus
from switchyard.cli.options import AsJson, Job
from switchyard.cli.outcome import client
from switchyard.cli.screen import console, emit, plain, say, table
from switchyard.client import Client

Stage = Annotated[str | None, typer.Option("--stage", help="Only of this stage.")]
Index = Annotated[int | None, typer.Option("--task", help="Only of the task of this index.", min=0)]
Name = Annotated[str | None, typer.Option("--name", help="Only of the output of this name.")]
Into = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="Download the files into this folder, as STAGE/OUTPUT/TASK/FILE."),
]


def files(
    ctx: typer.Context,
    job: Job,
    *,
    stage: Stage = None,
    task: Index = None,
    name: Name = None,
    output: Into = None,
    as_json: AsJson = False,
) -> None:
    """List the files that tasks of a job hand on, or download them; a download that broke off goes on."""
    wanted: dict[str, Any] = {key: value for key, value in (("stage", stage), ("output", name)) if value}
    with client(ctx) as server:
        found = [file for file in server.files(job, **wanted) if task in (None, file.index)]
        if output is not None:
            _download(server, job, found, output)
    if as_json:
        emit(found)
    elif output is None:
        columns = ("STAGE", "TASK", "NAME", "FILE", "SIZE", "SHA-256")
        table(columns, ((file.stage, file.index, file.output, file.path, f"{file.size:,}", file.digest) for file in found))


def _download(server: Client, job: str, found: Sequence[FileStatus], folder: Path) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console(errors=True), disable=not console(errors=True).is_terminal) as bars:
        bar = bars.add_task("files", total=sum(file.size for file in found))
        for number, file in enumerate(found, 1):
            bars.update(bar, description=plain(f"{number} of {len(found)}: {file.path}"))
            server.download(job, file, _place(folder, file), lambda size: bars.advance(bar, size))
    say(f"{len(found):,} files, {sum(file.size for file in found):,} bytes, in {folder}")


def _place(folder: Path, file: FileStatus) -> Path:
    """Return where a file goes; never out of the folder, whatever the server says."""
    parts = [file.stage, file.output, str(file.index), *PurePosixPath(file.path).parts]
    return folder.joinpath(*("_" if part == ".." else part.replace("/", "_") for part in parts))
