"""Savepoints: checkpoints that people ask for, each kept until it is disposed of, from which another job may start.

A savepoint is described by a manifest, a file at a location that is known from the beginning. It is written once the
checkpoint is whole; only then is the job canceled, stopped or drained, if that was asked for too. No step harms twice.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from switchyard.scheduling.lifecycle import requests
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.operations import Ended, Failure
from switchyard.scheduling.lifecycle.records import Changes, Records
from switchyard.scheduling.lifecycle.states import JOB_ENDS, Intent

#: The name of the failure of a savepoint whose manifest cannot be written.
NOT_WRITTEN = "SavepointNotWritten"


class Then(StrEnum):
    """What becomes of the job once its savepoint is written."""

    GO_ON = "go_on"
    CANCEL = "cancel"
    #: It ends at once, FINISHED.
    STOP = "stop"
    #: Nothing more begins at its sources; the rest is worked off, and it ends FINISHED.
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Taken:
    """A savepoint whose states are whole and whose operation is in progress; `written` says whether its manifest is, too."""

    id: int
    number: int
    job: UUID
    operation: UUID
    by: str
    then: Then
    location: str
    written: bool


class NotWritten(Exception):
    """A manifest cannot be written; the text says why."""


class Savepoints(Protocol):
    """The records of savepoints, and their manifests."""

    def taken(self) -> Sequence[Taken]:
        """Return the savepoints that have to be gone on with."""

    def write(self, savepoint: Taken) -> str:
        """Write the manifest of a savepoint, in no transaction, and return its digest; raises NotWritten."""

    def note_written(self, savepoint: int, digest: str) -> None:
        """Note that the manifest with this digest is written."""

    def give_up(self, savepoints: Collection[int], why: str) -> None:
        """Let savepoints have failed, and delete their states."""


def step(records: Records, savepoints: Savepoints, *, epoch: int) -> None:
    """Write the manifests of savepoints that are whole, and end what their jobs and operations wait for."""
    for taken in savepoints.taken():
        digest, failure = "", ""
        try:
            digest = "" if taken.written else savepoints.write(taken)
        except NotWritten as error:
            failure = str(error)
        with records.transaction():
            records.ask_lease(epoch)()
            if failure:
                savepoints.give_up([taken.id], failure)
                why = Failure(NOT_WRITTEN, f"Savepoint {taken.number} cannot be written: {failure}.")
                records.end_operations([Ended(taken.operation, failure=why)])
            else:
                _go_on(records, savepoints, taken, digest)


def _go_on(records: Records, savepoints: Savepoints, taken: Taken, digest: str) -> None:
    if not taken.written:
        savepoints.note_written(taken.id, digest)
        _end(records, taken)
    (job,) = records.lock_jobs([taken.job])
    if taken.then is Then.GO_ON or job.state in JOB_ENDS:
        outcome = {"savepoint": taken.number, "location": taken.location, "job_state": job.state.name}
        records.end_operations([Ended(taken.operation, outcome=outcome)])


def _end(records: Records, taken: Taken) -> None:
    """Let the job end as was asked for; one that ends for another reason by now is left to that."""
    told = Told("job_saved", f"Savepoint {taken.number} was written, as {taken.by} asked{_SAID[taken.then]}.", taken.job)
    if taken.then is Then.CANCEL and requests.cancel(records, taken.job, taken.by, told=told):
        return
    (job,) = records.lock_jobs([taken.job])
    if taken.then in _INTENTS:
        job.want(_INTENTS[taken.then])
    records.write(Changes(jobs=[job] if job.changed else [], events=[told]))


_INTENTS = {Then.STOP: Intent.STOP, Then.DRAIN: Intent.DRAIN}
_SAID = {
    Then.GO_ON: "",
    Then.CANCEL: "; the job is canceled",
    Then.STOP: "; the job is stopped",
    Then.DRAIN: "; the job drains",
}
