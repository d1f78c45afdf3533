"""What people do to jobs: cancel, release, drain, delete. Each changes one row and hints; the leader does the rest."""

from typing import Any
from uuid import UUID

from django.db import transaction

from artifacts.storage import storage
from database import rows
from jobs.commands.submit import hint
from jobs.inbox import Hint
from jobs.models import Job, JobType
from jobs.store.exact import whole_job, whole_stage
from nodes import events
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JOB_STARTABLE, JOB_TRANSITIONS, JobState


class NoSuchJob(SwitchyardError):
    """There is no such job."""


class StillLive(SwitchyardError):
    """The job has not ended; cancel it first."""


class Stopping(SwitchyardError):
    """The job is failing or being canceled: it cannot drain."""


class NothingToCancel(SwitchyardError):
    """The job was left as it is."""


class NothingToRetry(SwitchyardError):
    """The job finished: there is nothing to retry."""


def cancel(id_: UUID, *, by: str) -> Job:
    """Ask a job to stop. A job that has ended or stops already is left as it is."""
    with transaction.atomic():
        job = locked(id_)
        if JobState.CANCELING in JOB_TRANSITIONS[JobState(job.state)]:
            job.state, job.error, job.held_reason = JobState.CANCELING, job.error or f"canceled by {by}", ""
            job.save(update_fields=["state", "error", "held_reason"])
            events.record([events.Told("job_canceling", f"The job was canceled by {by}.", job.id)])
            transaction.on_commit(lambda: hint(Hint.STOP))
        elif job.held_reason:
            return release(id_, by=by)
    return job


def release(id_: UUID, *, by: str) -> Job:
    """Let a job go on that is held. One that is not is left as it is; if the same happens again, it is held again."""
    with transaction.atomic():
        job = locked(id_)
        if job.held_reason:
            job.held_reason = ""
            job.save(update_fields=["held_reason"])
            events.record([events.Told("job_released", f"The job was released by {by}.", job.id)])
            transaction.on_commit(lambda: hint(Hint.STOP))
    return job


def drain(id_: UUID, *, by: str) -> Job:
    """Let a job end early: nothing more begins at its sources, the rest is worked off. One that has ended stays as it is."""
    with transaction.atomic():
        job = locked(id_)
        if job.state not in JOB_ENDS and not job.draining:
            if job.state not in JOB_STARTABLE:
                raise Stopping
            job.draining = True
            job.save(update_fields=["draining"])
            told = f"The job drains, as {by} asked: nothing more begins at its sources."
            events.record([events.Told("job_draining", told, job.id)])
            transaction.on_commit(lambda: hint(Hint.STOP))
    return job


def delete(id_: UUID, *, by: str) -> None:
    """Delete a job that has ended, with all that is stored of it; results that others may share go with a sweep."""
    with transaction.atomic():
        job = locked(id_)
        if job.state not in JOB_ENDS:
            raise StillLive
        stages = list(job.stages.values_list("id", flat=True))
        delete_jobs([job.id])
        transaction.on_commit(lambda: _delete_logs(stages))


def delete_jobs(ids: list[UUID]) -> None:
    """Delete ended jobs and their rows, set by set."""
    stages = "stage_id IN (SELECT id FROM jobs_stage WHERE job_id = ANY(%s))"
    for table, condition in (
        ("jobs_task", stages),
        ("jobs_attempt", stages),
        ("jobs_items", stages),
        ("jobs_edge", "job_id = ANY(%s)"),
        ("nodes_event", "job_id = ANY(%s)"),
        ("jobs_stage", "job_id = ANY(%s)"),
    ):
        rows.execute(f"DELETE FROM {table} WHERE {condition}", [ids])
    rows.execute("UPDATE jobs_job SET retried_from_id = NULL WHERE retried_from_id = ANY(%s)", [ids])
    rows.execute("DELETE FROM jobs_job WHERE id = ANY(%s)", [ids])


def set_job_type(name: str, version: str, **changes: Any) -> JobType:
    """Pause, resume or limit a job type; `changes` are fields of JobType."""
    with transaction.atomic():
        job_type = JobType.objects.select_for_update().get(name=name, version=version)
        for field, value in changes.items():
            setattr(job_type, field, value)
        job_type.save(update_fields=list(changes))
        transaction.on_commit(hint)
    return job_type


def stored_spec(job: Job) -> dict[str, Any]:
    """Return a job's description as it was submitted."""
    stages = job.stages.order_by("position").values_list("spec", "given")
    return {**whole_job(job.spec, job.config), "stages": [whole_stage(*stage) for stage in stages]}


def _delete_logs(stages: list[int]) -> None:
    for stage in stages:
        storage().delete_logs(stage)


def locked(id_: UUID) -> Job:
    """Return a job that nobody else changes until the transaction ends."""
    job = Job.objects.select_for_update().filter(id=id_).first()
    if job is None:
        raise NoSuchJob(f"There is no job {id_}.")
    return job
