"""Stop jobs, so that one that cannot be stopped blocks no other."""

from functools import partial
from uuid import UUID

from jobs.leader.bisect import hold, isolate
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle import abandonment, stopping
from switchyard.scheduling.lifecycle.stopping import Stopped


def stop_jobs(*, epoch: int) -> Stopped:
    """Stop the jobs that are to; one that cannot be stopped so is ended plainly, or held with the reason."""
    jobs, draining = RECORDS.stopping_jobs()
    stopped = Stopped(draining=draining)
    blame = partial(end_plainly, epoch=epoch)
    for part in isolate(jobs, lambda part: stopping.stop(RECORDS, part, epoch=epoch), blame) if jobs else []:
        stopped.add(part)
    return stopped


def end_plainly(job: UUID, reason: str, *, epoch: int) -> None:
    """End a job that cannot be stopped as others are, or hold it with the reason."""
    isolate([job], lambda part: abandonment.end_plainly(RECORDS, part[0], epoch=epoch), lambda *_: hold(job, reason))


def unconfirmed_cancels() -> Stopped:
    """Return the entries that agents were told to end and have not confirmed."""
    return stopping.unconfirmed_cancels(RECORDS)
