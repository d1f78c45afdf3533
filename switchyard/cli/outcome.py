"""Outcomes: what a command's exit status says, and errors as messages that say what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from scheduling.errors import InvalidSpec, SwitchyardError, TooLarge
from switchyard.answers import JobStatus
from switchyard.cli.screen import plain, say
from switchyard.client import Client
from switchyard.errors import Misconfigured, Refused, ServerFailed, Unpackable, Unreachable

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
def explained() -> Iterator[None]:
    """End the program with a message and a status if what is done inside raises one of our errors."""
    try:
        yield
    except SwitchyardError as error:
        say(f"switchyard: {plain(_told(error))}")
        sys.exit(_status(error))


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


def _status(error: SwitchyardError) -> Status:
    if isinstance(error, Refused) and error.status in WRONG_INPUT:
        return Status.USAGE
    return next((status for kind, status in _STATUS_OF.items() if isinstance(error, kind)), Status.FAILED)
