"""Checkpoints that people ask for; the leader asks the tasks."""

from uuid import UUID

from django.db import transaction

from access.commands import Done, command
from access.identifying import Identity
from jobs.commands.control import locked
from jobs.commands.submit import hint
from jobs.inbox import Hint
from jobs.models import Job
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.records import RECORDS
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.operations import Kind, Request
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.spec.types import CheckpointRule

#: Seconds by which the operation outlives its checkpoint's own time: a new leader ends both.
LONGER = 60.0
#: Checkpoints in progress that people have asked for, of one job.
MOST = 10


class NotRunning(SwitchyardError):
    """The job does not run: there is nothing to save. Its tasks keep the states that they saved last."""


class TooManyCheckpoints(SwitchyardError):
    """As many checkpoints of the job are in progress as may be; wait for one of them to end."""


@command("job.checkpoint")
def trigger(by: Identity, id_: UUID) -> Done[UUID]:
    """Ask all running tasks of a job for their states; return the operation, whose outcome names the checkpoint."""
    job = locked(id_)
    if job.state != JobState.RUNNING:
        raise NotRunning
    if CHECKPOINTS.count_open(id_) >= MOST:
        raise TooManyCheckpoints
    operation = RECORDS.request_operation(Request(Kind.CHECKPOINT, by.name, _timeout(job) + LONGER, id_))
    number = CHECKPOINTS.request(id_, operation)
    transaction.on_commit(lambda: hint(Hint.CHECKPOINT))
    return Done(operation, job.id, {"checkpoint": number})


def _timeout(job: Job) -> float:
    rule = job.spec.get("checkpoint") or {}
    return float(rule.get("timeout", CheckpointRule().timeout))
