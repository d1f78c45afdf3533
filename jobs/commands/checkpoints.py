"""Checkpoints and savepoints that people ask for; the leader asks the tasks."""

from functools import partial
from uuid import UUID

from django.db import transaction

from access.commands import Done, command
from access.identifying import Identity
from jobs.commands.control import locked
from jobs.commands.submit import hint
from jobs.inbox import Hint
from jobs.models import Job
from jobs.store import manifests, savepoints
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.records import RECORDS
from jobs.store.savepoints import Savepoint
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.operations import Ended, Failure, Kind, Request
from switchyard.scheduling.lifecycle.savepoints import Then
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.spec.types import CheckpointRule

#: Seconds by which the operation outlives its checkpoint's own time: a new leader ends both.
LONGER = 60.0
#: Seconds that a job may take to end once its savepoint is written.
ENDING = 600.0
#: Checkpoints in progress that people have asked for, of one job.
MOST = 10


class NotRunning(SwitchyardError):
    """The job does not run: there is nothing to save. Its tasks keep the states that they saved last."""


class TooManyCheckpoints(SwitchyardError):
    """As many checkpoints of the job are in progress as may be; wait for one of them to end."""


class NoSuchSavepoint(SwitchyardError):
    """There is no such savepoint, or it is disposed of."""


@command("job.checkpoint")
def trigger(by: Identity, id_: UUID) -> Done[UUID]:
    """Ask all running tasks of a job for their states; return the operation, whose outcome names the checkpoint."""
    job = _savable(id_)
    operation = RECORDS.request_operation(Request(Kind.CHECKPOINT, by.name, _timeout(job) + LONGER, id_))
    number = CHECKPOINTS.request(id_, operation)
    transaction.on_commit(lambda: hint(Hint.CHECKPOINT))
    return Done(operation, job.id, {"checkpoint": number})


@command("job.savepoint")
def save(by: Identity, id_: UUID, *, then: Then = Then.GO_ON, directory: str | None = None) -> Done[UUID]:
    """Write a savepoint of a job, below a directory if one is given, and then let the job go on or end.

    Returns the operation, whose outcome names the savepoint and where it is. Raises NoSuchJob, NotRunning,
    TooManyCheckpoints, BadLocation.
    """
    job = _savable(id_)
    location = manifests.place(directory, id_)
    seconds = _timeout(job) + LONGER + (0 if then is Then.GO_ON else ENDING)
    told = {"then": then.value, "location": location}
    operation = RECORDS.request_operation(Request(Kind.SAVEPOINT, by.name, seconds, id_, told))
    number = CHECKPOINTS.request(id_, operation, location)
    transaction.on_commit(lambda: hint(Hint.CHECKPOINT))
    return Done(operation, job.id, {"savepoint": number, **told})


@command("savepoint.dispose")
def dispose(by: Identity, savepoint: Savepoint) -> Done[UUID]:
    """Delete a savepoint; return the operation, which has ended. Jobs that started from it go on."""
    told = {"savepoint": savepoint.number, "location": savepoint.location}
    savepoints.dispose(savepoint.id)
    operation = RECORDS.request_operation(Request(Kind.DISPOSAL, by.name, LONGER, savepoint.job, told))
    RECORDS.end_operations([Ended(operation, outcome={})])
    transaction.on_commit(partial(manifests.remove, savepoint.location))
    return Done(operation, savepoint.job, told)


@command("savepoint.fail")
def failed(by: Identity, kind: Kind, error: SwitchyardError, job: UUID | None = None) -> Done[UUID]:
    """Note what was asked for and cannot be, for those who poll for it; return the operation, which has failed."""
    operation = RECORDS.request_operation(Request(kind, by.name, LONGER, job))
    RECORDS.end_operations([Ended(operation, failure=Failure(type(error).__name__, str(error)))])
    return Done(operation, job or operation, {"kind": kind.value, "why": str(error)})


def disposed(by: Identity, id_: UUID, number: int) -> UUID:
    """Dispose of a savepoint of a job; raises NoSuchSavepoint."""
    with transaction.atomic():
        found = savepoints.numbered(id_, number)
        if found is None:
            raise NoSuchSavepoint(f"The job has no savepoint {number}.")
        return dispose(by, found)


def disposed_at(by: Identity, path: str) -> UUID:
    """Dispose of the savepoint at a location; raises BadLocation or NoSuchSavepoint."""
    with transaction.atomic():
        return dispose(by, at(path))


def at(path: str) -> Savepoint:
    """Lock the savepoint at a location against its disposal, and return it; raises BadLocation or NoSuchSavepoint."""
    found = savepoints.find(str(manifests.found(path)))
    if found is None:
        raise NoSuchSavepoint(f"There is no savepoint at {path:.200}.")
    return found


def _savable(id_: UUID) -> Job:
    job = locked(id_)
    if job.state != JobState.RUNNING:
        raise NotRunning
    if CHECKPOINTS.count_open(id_) >= MOST:
        raise TooManyCheckpoints
    return job


def _timeout(job: Job) -> float:
    rule = job.spec.get("checkpoint") or {}
    return float(rule.get("timeout", CheckpointRule().timeout))
