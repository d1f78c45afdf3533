"""Ends of attempts: what is reported of one, and what becomes of its task."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.outputs import LONGEST_PATH
from switchyard.scheduling.retry import ExitClass, Failure

#: How many attempts of a stage ended on a node, and how: None for with success.
Ends = Counter[tuple[int, int, Failure | None]]


class File(msgspec.Struct, frozen=True, array_like=True):
    """A file that a task hands on under the name of an output; `path` is where consumers find it below that."""

    output: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]
    path: Annotated[str, msgspec.Meta(pattern=rf"(?s)^(?!(.*/)?\.{{0,2}}(/|\Z))[^\0]{{1,{LONGEST_PATH}}}\Z")]
    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    size: Annotated[int, msgspec.Meta(ge=0)]
    executable: bool = False


class Outcome(StrEnum):
    """How an attempt ended."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class End(msgspec.Struct, frozen=True, array_like=True, rename={"exit_class": "class"}):
    """The end of an attempt; the order of the fields is that of messages. Times are microseconds of its node's clock.

    `result` is a JSON text, `result_digest` names one that is kept elsewhere. `inputs` is the digest of what the task was
    handed (scheduling.inputs), 0 for nothing. `unfit` says why its node can run no task of the stage. `logs` has by stream
    how many bytes are stored, and how many left out. `files` are what it hands on, all of them stored.
    """

    stage: int
    attempt: int
    index: int
    begun: int | None = None
    ended: int = 0
    outcome: Outcome = Outcome.FAILED
    result: str | None = None
    result_digest: str | None = None
    inputs: int = 0
    exit_class: ExitClass | None = None
    exit_code: int | None = None
    exceptions: tuple[str, ...] = ()
    error: str | None = None
    unfit: str | None = None
    metrics: dict[str, int | float] | None = None
    accumulators: dict[str, Any] | None = None
    logs: dict[str, dict[str, int]] | None = None
    files: tuple[File, ...] | None = None


@dataclass(slots=True)
class Judged:
    """An end and what becomes of its task; `sent` is what the clock of its node showed with the report."""

    end: End
    node: int
    sent: int
    before: TaskState
    after: TaskState
    failures: int
    losses: int
    due: float | None = None
