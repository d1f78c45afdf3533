"""Operations: requests that take their time. Each ends for certain: as its target says, or at its deadline."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from switchyard.scheduling.lifecycle.states import JOB_ENDS, Intent, JobState

if TYPE_CHECKING:
    from switchyard.scheduling.lifecycle.records import Records


class Kind(StrEnum):
    """What was asked for."""

    CHECKPOINT = "checkpoint"
    DISPOSAL = "disposal"
    PLAN = "plan"
    RUN = "run"
    SAVEPOINT = "savepoint"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True)
class Request:
    """A new operation: by whom it is asked for, of which job if of any, and after how many seconds it has failed."""

    kind: Kind
    by: str
    seconds: float
    job: UUID | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """How the job of an operation stands."""

    state: JobState
    intent: Intent


@dataclass(frozen=True, slots=True)
class Open:
    """An operation in progress; its deadline is in seconds since the epoch."""

    id: UUID
    kind: Kind
    requested_at: float
    deadline: float
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an operation failed: a name as that of a class, and a sentence."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """An operation that has ended: what came of it, or why it failed."""

    id: UUID
    outcome: Any = None
    failure: Failure | None = None


TIMEOUT, JOB_ENDED, JOB_CANCELED, JOB_RESUMED = "Timeout", "JobEnded", "JobCanceled", "JobResumed"


def settle(records: "Records", *, epoch: int) -> None:
    """End the operations whose targets say so, and those that are past their deadline."""
    if records.open_operations(None):
        with records.transaction():
            now = records.ask_lease(epoch)()
            _end(records, None, now)


def follow(records: "Records", job: UUID) -> None:
    """End the operations of a job that its present state ends; call it before and after somebody changes the job."""
    _end(records, [job], None)


def judge(operation: Open, now: float | None) -> Ended | None:
    """Return how an operation has ended, if it has; without a time, whatever its deadline."""
    rule = _RULES.get(operation.kind)
    ended = rule(operation.id, operation.target) if rule and operation.target else None
    if ended is None and now is not None and operation.deadline <= now:
        lasted = operation.deadline - operation.requested_at
        return Ended(operation.id, failure=Failure(TIMEOUT, f"It has not ended within {lasted:,.0f} s."))
    return ended


def _end(records: "Records", jobs: Collection[UUID] | None, now: float | None) -> None:
    ended = [end for each in records.open_operations(jobs) if (end := judge(each, now))]
    if ended:
        records.end_operations(ended)


def _suspend(id_: UUID, target: Target) -> Ended | None:
    if target.state is JobState.SUSPENDED:
        return Ended(id_, outcome={})
    if target.state in JOB_ENDS:
        return Ended(id_, failure=Failure(JOB_ENDED, f"The job ended {target.state.name} before it was suspended."))
    if target.intent is Intent.CANCEL:
        return Ended(id_, failure=Failure(JOB_CANCELED, "The job was canceled before it was suspended."))
    if target.intent is not Intent.SUSPEND:
        return Ended(id_, failure=Failure(JOB_RESUMED, "The job was resumed before it was suspended."))
    return None


#: How operations end by what becomes of their jobs. What is not named here is ended by whoever works on it.
_RULES: Mapping[Kind, Callable[[UUID, Target], Ended | None]] = {Kind.SUSPEND: _suspend}
