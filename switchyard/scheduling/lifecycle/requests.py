"""What people ask of a job."""

from uuid import UUID

from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.records import Changes, Records
from switchyard.scheduling.lifecycle.states import JOB_TRANSITIONS, JobState


def cancel(records: Records, id_: UUID, by: str) -> bool:
    """Stop a job, also one that is held, and return whether that changed it."""
    with records.transaction():
        (job,) = records.lock_jobs([id_])
        if JobState.CANCELING not in JOB_TRANSITIONS[job.state]:
            return False
        job.become(JobState.CANCELING)
        job.error = f"canceled by {by}"
        records.write(Changes(jobs=[job], events=[Told("job_canceling", f"The job was canceled by {by}.", id_)]))
        records.release(id_)
        return True
