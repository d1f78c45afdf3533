"""What people want of a job: each request notes the intent, and the state follows as far as it can at once."""

from uuid import UUID

from switchyard.scheduling.lifecycle import operations
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.operations import Kind, Request
from switchyard.scheduling.lifecycle.records import Changes, Records
from switchyard.scheduling.lifecycle.states import Intent

#: Seconds after which a job that something still runs of counts as not suspended; it goes on being suspended.
SUSPENDED_WITHIN = 600.0


def cancel(records: Records, id_: UUID, by: str, *, told: Told | None = None) -> bool:
    """Stop a job, also one that is held, and return whether that is new; `told` is an event other than the usual one."""
    with records.transaction():
        (job,) = records.lock_jobs([id_])
        suspended = job.suspended
        if suspended:
            operations.follow(records, id_)
        if not job.want(Intent.CANCEL):
            return False
        if suspended:
            records.note_resumed(id_)
        job.error = f"canceled by {by}"
        event = told or Told("job_canceling", f"The job was canceled by {by}.", id_)
        records.write(Changes(jobs=[job], events=[event]))
        records.release(id_)
        if suspended:
            operations.follow(records, id_)
        return True


def drain(records: Records, id_: UUID, by: str) -> bool:
    """Let a job end early, and return whether that is new; one that stops or has ended cannot."""
    with records.transaction():
        (job,) = records.lock_jobs([id_])
        if not job.want(Intent.DRAIN):
            return False
        told = f"The job drains, as {by} asked: nothing more begins at its sources."
        records.write(Changes(jobs=[job], events=[Told("job_draining", told, id_)]))
        return True


def suspend(records: Records, id_: UUID, by: str, reason: str = "") -> bool:
    """Let nothing of a job run until it is resumed, also of one that is held, and return whether that is new."""
    with records.transaction():
        (job,) = records.lock_jobs([id_])
        if not job.want(Intent.SUSPEND):
            return False
        told = f"The job is suspended by {by}{f': {reason}' if reason else ''}."
        records.write(Changes(jobs=[job], events=[Told("job_suspending", told, id_)]))
        records.note_suspended(id_, by, reason)
        records.release(id_)
        asked = {"reason": reason} if reason else {}
        records.request_operation(Request(Kind.SUSPEND, by, SUSPENDED_WITHIN, id_, asked))
        return True


def resume(records: Records, id_: UUID, by: str, reason: str = "") -> bool:
    """Let a suspended job go on, also one of which something has still to end, and return whether that is new."""
    with records.transaction():
        (job,) = records.lock_jobs([id_])
        operations.follow(records, id_)
        if not job.want(Intent.RUN):
            return False
        told = f"The job is resumed by {by}{f': {reason}' if reason else ''}."
        records.write(Changes(jobs=[job], events=[Told("job_resumed", told, id_)]))
        records.note_resumed(id_)
        operations.follow(records, id_)
        return True
