"""End a job that is stopping and has inconsistent rows, by those facts in them that are certain."""

from uuid import UUID

from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.records import Changes, Records
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState


class OnLists(SwitchyardError):
    """Tasks of it stand on lists of nodes: they must be confirmed as ended first."""


def end_plainly(records: Records, id_: UUID, *, epoch: int) -> None:
    """Cancel all that has not ended of a job that stands on no list, and end its stages and itself."""
    with records.transaction():
        records.ask_lease(epoch)()
        (job,) = records.lock_jobs([id_])
        if job.state in JOB_ENDS:
            return
        if records.is_listed(id_):
            raise OnLists
        records.cancel_rest(id_)
        if not job.stopping:
            job.become(JobState.CANCELING)
        job.end()
        job.stages_ended = job.stages_total
        told = Told(f"job_{job.state.name.lower()}", "The job was ended plainly: its rows are odd.", id_)
        records.write(Changes(jobs=[job], events=[told]))
        records.release(id_)
