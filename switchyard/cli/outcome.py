"""Outcomes: what a command's exit status says, and errors as messages that say what to do."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import typer
from typer.exceptions import TyperException

from switchyard.answers import JobStatus
from switchyard.cli.screen import plain, say
from switchyard.client import Client
from switchyard.errors import Misconfigured, Refused, ServerFailed, Unpackable, Unreachable
from switchyard.scheduling.errors import InvalidSpec, SwitchyardError, TooLarge

INTERRUPTED = 130
#: HTTP statuses by which the server says that the description or an option is at fault, not the moment.
WRONG_INPUT = frozenset({400, 413, 415})


class Status(IntEnum):
    """The exit status of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CANCELED = 3
    NO_ANSWER = 4
    REFUSED = 5


_STATUS_OF: dict[type[SwitchyardError], Status] = {
    InvalidSpec: Status.USAGE,
    TooLarge: Status.USAGE,
    Unpackable: Status.USAGE,
    Misconfigured: Status.USAGE,
    Unreachable: Status.NO_ANSWER,
    ServerFailed: Status.NO_ANSWER,
    Refused: Status.REFUSED,
}


@contextmanager
def explained(*, as_json: bool) -> Iterator[None]:
    """End the program with a message and a status if what is done inside raises one of our errors.

    For programs the message is JSON, in the shape of the API's errors.
    """
    try:
        yield
    except SwitchyardError as error:
        say(json.dumps(_shaped(error)) if as_json else f"switchyard: {plain(_told(error))}")
        sys.exit(_status(error))
    except TyperException as error:
        # Raised only when asked for, which is for programs; people get it with a hint at --help.
        say(json.dumps(_error("client_error", [("usage", error.format_message(), None)])))
        sys.exit(error.exit_code)


def client(ctx: typer.Context) -> Client:
    """Connect as the options, the environment and the configuration file say."""
    return Client(ctx.obj)


def leave_as(job: JobStatus) -> None:
    """End the command with the status that tells how a job ended."""
    if job.is_finished:
        return
    raise typer.Exit(Status.CANCELED if job.state == "CANCELED" else Status.FAILED)


def _told(error: SwitchyardError) -> str:
    if isinstance(error, InvalidSpec):
        return "\n  ".join(["the job description is not valid:", *(fault.sentence for fault in error.faults)])
    return str(error)


def _shaped(error: SwitchyardError) -> dict[str, Any]:
    if isinstance(error, InvalidSpec):
        return _error("validation_error", [("invalid", fault.reason, fault.path or None) for fault in error.faults])
    if isinstance(error, Refused) and error.answered:
        return dict(error.answered)
    kind = "server_error" if isinstance(error, ServerFailed) else "client_error"
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower()
    return _error(kind, [(code, str(error), None)])


def _error(kind: str, errors: list[tuple[str, str, str | None]]) -> dict[str, Any]:
    return {"type": kind, "errors": [dict(zip(("code", "detail", "attr"), each, strict=True)) for each in errors]}


def _status(error: SwitchyardError) -> Status:
    if isinstance(error, Refused) and error.status in WRONG_INPUT:
        return Status.USAGE
    return next((status for kind, status in _STATUS_OF.items() if isinstance(error, kind)), Status.FAILED)
