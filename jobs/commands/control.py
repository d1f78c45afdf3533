"""Commands on jobs: cancel, release, drain, suspend, resume, delete. Each changes one row; the leader does the rest."""

from typing import Any
from uuid import UUID

from django.db import transaction

from access.commands import Done, command
from access.identifying import Identity
from artifacts import references
from artifacts.kinds import Kind
from artifacts.logs import logs
from database import rows
from jobs.commands.submit import hint
from jobs.inbox import Hint
from jobs.models import Job, JobType
from jobs.store import states
from jobs.store.exact import whole_job, whole_stage
from jobs.store.records import RECORDS
from jobs.store.savepoints import jobs_with_savepoints
from nodes import events
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle import requests
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JOB_SUSPENDED


class NoSuchJob(SwitchyardError):
    """There is no such job."""


class StillLive(SwitchyardError):
    """The job has not ended; cancel it first."""


class HasSavepoints(SwitchyardError):
    """The job has savepoints, from which others may start; dispose of them first."""


class Stopping(SwitchyardError):
    """The job is failing, being canceled or suspended: it cannot drain."""


class NotSuspendable(SwitchyardError):
    """The job drains, fails or is being canceled: it cannot be suspended."""


class NothingToCancel(SwitchyardError):
    """The job was left as it is."""


class NothingToRetry(SwitchyardError):
    """The job finished: there is nothing to retry."""


@command("job.cancel")
def cancel(by: Identity, id_: UUID) -> Done[Job]:
    """Ask a job to stop. A job that has ended or stops already is left as it is, but for what holds it."""
    job = locked(id_)
    if requests.cancel(RECORDS, id_, by.name):
        job.refresh_from_db()
        transaction.on_commit(lambda: hint(Hint.STOP))
        return Done(job, job.id)
    return _released(by, job)


@command("job.release")
def release(by: Identity, id_: UUID) -> Done[Job]:
    """Let a job go on that is held. One that is not is left as it is; if the same happens again, it is held again."""
    return _released(by, locked(id_))


@command("job.drain")
def drain(by: Identity, id_: UUID) -> Done[Job]:
    """Let a job end early: nothing more begins at its sources, the rest is worked off. One that has ended stays as it is."""
    job = locked(id_)
    if job.state in JOB_ENDS or job.draining:
        return Done(job)
    if not requests.drain(RECORDS, id_, by.name):
        raise Stopping
    job.refresh_from_db()
    transaction.on_commit(lambda: hint(Hint.STOP))
    return Done(job, job.id)


@command("job.suspend")
def suspend(by: Identity, id_: UUID, reason: str = "") -> Done[Job]:
    """Let nothing of a job run until it is resumed. One that is suspended or has ended is left as it is."""
    job = locked(id_)
    if job.state in JOB_ENDS or job.state in JOB_SUSPENDED:
        return Done(job)
    if not requests.suspend(RECORDS, id_, by.name, reason):
        raise NotSuspendable
    job.refresh_from_db()
    transaction.on_commit(lambda: hint(Hint.STOP))
    return Done(job, job.id, {"reason": reason} if reason else {})


@command("job.resume")
def resume(by: Identity, id_: UUID, reason: str = "") -> Done[Job]:
    """Let a suspended job go on. One that is not suspended is left as it is."""
    job = locked(id_)
    if not requests.resume(RECORDS, id_, by.name, reason):
        return Done(job)
    job.refresh_from_db()
    transaction.on_commit(hint)
    return Done(job, job.id, {"reason": reason} if reason else {})


@command("job.delete")
def delete(by: Identity, id_: UUID) -> Done[None]:
    """Delete a job that has ended, with all that is stored of it; results that others may share go with a sweep."""
    job = locked(id_)
    if job.state not in JOB_ENDS:
        raise StillLive
    if jobs_with_savepoints([id_]):
        raise HasSavepoints
    stages = list(job.stages.values_list("id", flat=True))
    delete_jobs([job.id])
    transaction.on_commit(lambda: _delete_logs(stages))
    return Done(None, id_)


def delete_jobs(ids: list[UUID]) -> None:
    """Delete ended jobs and their rows, set by set."""
    stages = "stage_id IN (SELECT id FROM jobs_stage WHERE job_id = ANY(%s))"
    states.discard_of_jobs(ids)
    for table, condition in (
        ("jobs_task", stages),
        ("jobs_attempt", stages),
        ("jobs_items", stages),
        ("jobs_checkpoint", "job_id = ANY(%s)"),
        ("jobs_operation", "job_id = ANY(%s)"),
        ("jobs_edge", "job_id = ANY(%s)"),
        ("nodes_event", "job_id = ANY(%s)"),
        ("jobs_stage", "job_id = ANY(%s)"),
    ):
        rows.execute(f"DELETE FROM {table} WHERE {condition}", [ids])
    references.release(Kind.JOB, ids)
    rows.execute("UPDATE jobs_job SET retried_from_id = NULL WHERE retried_from_id = ANY(%s)", [ids])
    rows.execute("DELETE FROM jobs_job WHERE id = ANY(%s)", [ids])


@command("job_type.pause")
def pause_job_type(by: Identity, name: str, version: str, reason: str = "") -> Done[JobType]:
    """Start no more tasks of jobs of a type."""
    return _with_type(name, version, paused=True, pause_reason=reason)


@command("job_type.resume")
def resume_job_type(by: Identity, name: str, version: str) -> Done[JobType]:
    """Start tasks of jobs of a type again."""
    return _with_type(name, version, paused=False, pause_reason="")


@command("job_type.limit")
def limit_job_type(by: Identity, /, name: str, version: str, **limits: Any) -> Done[JobType]:
    """Limit how many jobs of a type may run at once, and say what is at fault when they fail; `limits` are fields."""
    return _with_type(name, version, **limits)


@command("job_type.set")
def set_job_type(by: Identity, /, name: str, version: str, **changes: Any) -> Done[JobType]:
    """Change what is said of a job type; `changes` are fields of JobType."""
    return _with_type(name, version, **changes)


def stored_spec(job: Job) -> dict[str, Any]:
    """Return a job's description as it was submitted."""
    stages = job.stages.order_by("position").values_list("spec", "given")
    return {**whole_job(job.spec, job.config), "stages": [whole_stage(*stage) for stage in stages]}


def _released(by: Identity, job: Job) -> Done[Job]:
    if not job.held_reason:
        return Done(job)
    job.held_reason = ""
    job.save(update_fields=["held_reason"])
    events.record([Told("job_released", f"The job was released by {by.name}.", job.id)])
    transaction.on_commit(lambda: hint(Hint.STOP))
    return Done(job, job.id)


def _with_type(name: str, version: str, **changes: Any) -> Done[JobType]:
    job_type = JobType.objects.select_for_update().get(name=name, version=version)
    for field, value in changes.items():
        setattr(job_type, field, value)
    job_type.save(update_fields=list(changes))
    transaction.on_commit(hint)
    return Done(job_type, str(job_type), changes)


def _delete_logs(stages: list[int]) -> None:
    for stage in stages:
        logs().delete(stage)


def locked(id_: UUID) -> Job:
    """Return a job that nobody else changes until the transaction ends."""
    job = Job.objects.select_for_update().filter(id=id_).first()
    if job is None:
        raise NoSuchJob(f"There is no job {id_}.")
    return job
