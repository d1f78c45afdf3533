"""Ends of attempts as workers write them and as the journal keeps them."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from switchyard.agent.core.logs import STREAMS, Log, accounts
from switchyard.scheduling.lifecycle.ends import End, Outcome
from switchyard.scheduling.retry import ExitClass


class Cause(NamedTuple):
    """Why an attempt ended that its worker does not report."""

    exit_class: ExitClass
    error: str
    exit_code: int | None = None


class Written(End, frozen=True, array_like=False, omit_defaults=True):
    """An end as workers write it and the journal keeps it: as an object, with what the agent alone has to do with.

    `file` has the result that `result_digest` names. `unstored` says that the files are on this machine alone, `unsaved` that
    the last state is. `fault` says what of the node is the cause. `stdout` and `stderr` are the positions of the task's
    output in the worker's.
    """

    file: str | None = None
    unstored: bool = False
    unsaved: bool = False
    fault: str = ""
    stdout: tuple[int, int] = (0, 0)
    stderr: tuple[int, int] = (0, 0)

    @property
    def waits(self) -> bool:
        """Whether something must be at the server before this is reported."""
        return bool(self.file and self.result_digest) or self.unstored or self.unsaved

    def reported(self) -> End:
        """Return what the server is to know."""
        return End(*msgspec.structs.astuple(self)[: len(End.__struct_fields__)])


def noted(end: End) -> dict[str, Any]:
    """Return an end as the journal has it."""
    note: dict[str, Any] = msgspec.to_builtins(Written(*msgspec.structs.astuple(end)))
    return note


def read_end(note: dict[str, Any]) -> Written:
    """Read an end that is an object; raise msgspec.ValidationError if it is none."""
    return msgspec.convert(note, Written)


def plain_end(
    stage: int,
    attempt: int,
    index: int,
    begun: int,
    ended: int,
    result: str | None,
    inputs: int = 0,
    metrics: str | None = None,
) -> Written:
    """Return an end that a worker wrote as a list."""
    told = json.loads(metrics) if metrics else None
    return Written(stage, attempt, index, begun, ended, Outcome.FINISHED, result, inputs=inputs, metrics=told)


def output(end: Written, folder: str) -> list[Log]:
    """Return a task's output as logs in its worker's folder."""
    found = []
    for stream, (start, stop) in zip(STREAMS, (end.stdout, end.stderr), strict=True):
        begin = start if stop >= start else 0
        if stop > begin:
            found.append(Log(end.stage, end.index, end.attempt, stream, f"{folder}/{stream}", begin, stop))
    return found


def accounted(end: Written, written: Iterable[Log], cap: int) -> Written:
    """Return an end with how much of its task's output is stored in place of where that is."""
    return replace(end, logs=accounts(written, cap), stdout=(0, 0), stderr=(0, 0))
