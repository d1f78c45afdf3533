"""Operations: a list of them, and waiting for one with a bar."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from switchyard.answers import OperationStatus
from switchyard.cli.options import AsJson
from switchyard.cli.outcome import INTERRUPTED, Status, client
from switchyard.cli.screen import ago, console, emit, facts, lasted, plain, say, table
from switchyard.client import Client

SHOWN = 20
OperationId = Annotated[str | None, typer.Argument(metavar="[OPERATION]", help="Id of one, to show it alone.")]
OfJob = Annotated[str | None, typer.Option("--job", help="Only those on this job.")]
OfKind = Annotated[str | None, typer.Option("--kind", help="Only of this kind, such as suspend.")]
InProgress = Annotated[bool, typer.Option("--in-progress", help="Only those that have not ended.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


def operations(
    ctx: typer.Context,
    operation: OperationId = None,
    *,
    job: OfJob = None,
    kind: OfKind = None,
    in_progress: InProgress = False,
    limit: Limit = SHOWN,
    as_json: AsJson = False,
) -> None:
    """List requests that take their time, newest first, or show one."""
    asked = {"job": job, "kind": kind, "state": "IN_PROGRESS" if in_progress else None}
    with client(ctx) as server:
        if operation is not None:
            _show(server.operation(operation), as_json=as_json)
            return
        found = list(server.operations(limit=limit, **{name: value for name, value in asked.items() if value}))
    if as_json:
        emit(found)
        return
    table(("OPERATION", "KIND", "JOB", "STATE", "ASKED BY", "ASKED", "TOOK", "FAILURE"), (_row(each) for each in found))


def attend(server: Client, operation: OperationStatus, *, as_json: bool) -> None:
    """Show an operation until it has ended, tell how, and leave with a status that says so."""
    ended = follow(server, operation)
    if as_json:
        emit(ended)
    elif ended.failure is None:
        print(f"{_named(ended)} is done after {lasted(_span(ended))}")
    else:
        say(plain(f"{_named(ended)} failed after {lasted(_span(ended))}: {ended.failure.text}"))
    if ended.failure is not None:
        raise typer.Exit(Status.FAILED)


def outcome(server: Client, operation: OperationStatus, *, as_json: bool) -> Any:
    """Show an operation until it has ended, and return what came of it, or leave with why it failed."""
    ended = follow(server, operation)
    if ended.failure is None:
        return ended.outcome
    if as_json:
        emit(ended)
    else:
        say(plain(f"{_named(ended)} failed after {lasted(_span(ended))}: {ended.failure.text}"))
    raise typer.Exit(Status.FAILED)


def follow(server: Client, operation: OperationStatus) -> OperationStatus:
    """Show an operation until it has ended, and return it."""
    try:
        for now in _with_bar(server.watch_operation(operation.id), operation):
            operation = now
    except KeyboardInterrupt:
        say(f"It goes on. To look: switchyard operations {operation.id}")
        raise typer.Exit(INTERRUPTED) from None
    return operation


def _with_bar(moves: Iterator[OperationStatus], operation: OperationStatus) -> Iterator[OperationStatus]:
    shown = console(errors=True)
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as bars:
        bar = bars.add_task(_named(operation), total=None)
        for now in moves:
            if now.has_ended:
                bars.update(bar, total=1, completed=1)
            yield now


def _named(operation: OperationStatus) -> str:
    return operation.kind.replace("_", " ") + (f" of job {operation.job_number}" if operation.job_number else "")


def _span(operation: OperationStatus) -> Any:
    return (operation.ended_at or operation.requested_at) - operation.requested_at


def _show(operation: OperationStatus, *, as_json: bool) -> None:
    if as_json:
        emit(operation)
        return
    failure = operation.failure and f"{operation.failure.name}: {operation.failure.text}"
    facts(
        (
            ("operation", operation.id),
            ("kind", operation.kind),
            ("job", operation.job_number),
            ("state", operation.state),
            ("asked by", operation.requested_by),
            ("asked", ago(operation.requested_at)),
            ("took", lasted(_span(operation)) if operation.has_ended else ""),
            ("failure", failure),
            ("outcome", operation.outcome),
        )
    )


def _row(operation: OperationStatus) -> tuple[Any, ...]:
    return (
        operation.id,
        operation.kind,
        operation.job_number or "",
        operation.state,
        operation.requested_by,
        ago(operation.requested_at),
        lasted(_span(operation)) if operation.has_ended else "",
        operation.failure.name if operation.failure else "",
    )
