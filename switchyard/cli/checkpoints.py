"""Checkpoints of a job: a list of them, or one by stage."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from switchyard.checkpoints import CheckpointStage, CheckpointStatus
from switchyard.cli.options import AsJson, Job
from switchyard.cli.outcome import client
from switchyard.cli.screen import ago, amount, emit, facts, lasted, table

SHOWN = 20
Number = Annotated[int | None, typer.Argument(metavar="[NUMBER]", help="Number of one, to show it by stage.", min=1)]
OfState = Annotated[str | None, typer.Option("--state", help="Only those IN_PROGRESS, COMPLETED or FAILED.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]


def checkpoints(
    ctx: typer.Context,
    job: Job,
    number: Number = None,
    *,
    state: OfState = None,
    limit: Limit = SHOWN,
    as_json: AsJson = False,
) -> None:
    """List the checkpoints of a job, newest first, or show one by stage."""
    with client(ctx) as server:
        if number is not None:
            _show(server.checkpoint_status(job, number), as_json=as_json)
            return
        found = list(server.checkpoints(job, limit=limit, **({"state": state.upper()} if state else {})))
    if as_json:
        emit(found)
        return
    table(("CHECKPOINT", "STATE", "ANSWERED", "SIZE", "ASKED", "TOOK", "FAILURE"), (_row(each) for each in found))


def _show(found: CheckpointStatus, *, as_json: bool) -> None:
    if as_json:
        emit(found)
        return
    facts(
        (
            ("checkpoint", found.number),
            ("state", found.state),
            ("answered", _answered(found)),
            ("size", amount(found.size)),
            ("asked", ago(found.triggered_at)),
            ("took", _took(found)),
            ("failure", found.failure),
            ("savepoint", found.location),
            ("discarded", "its states are deleted" if found.discarded else ""),
        )
    )
    print()
    table(("STAGE", "ANSWERED", "SIZE", "LAST ANSWER"), (_stage_row(stage) for stage in found.stages))


def _row(found: CheckpointStatus) -> tuple[Any, ...]:
    asked = ago(found.triggered_at)
    return found.number, found.state, _answered(found), amount(found.size), asked, _took(found), found.failure


def _stage_row(stage: CheckpointStage) -> tuple[Any, ...]:
    if stage.answered is None or stage.size is None:
        return stage.name, f"?/{stage.tasks:,}", "", ""
    return stage.name, f"{stage.answered:,}/{stage.tasks:,}", amount(stage.size), ago(stage.last_answer_at)


def _answered(found: CheckpointStatus) -> str:
    finished = f", {found.finished:,} had finished" if found.finished else ""
    return f"{found.answered:,}/{found.tasks:,}{finished}"


def _took(found: CheckpointStatus) -> str:
    return lasted((found.ended_at or datetime.now(UTC)) - found.triggered_at)
