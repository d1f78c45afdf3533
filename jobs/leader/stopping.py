"""Stop jobs, so that one that cannot be stopped blocks no other."""

from functools import partial
from uuid import UUID

from jobs.leader.bisect import hold, isolate
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle import abandonment, draining, stopping
from switchyard.scheduling.lifecycle.stopping import Stopped


def stop_jobs(*, epoch: int) -> Stopped:
    """Stop, suspend and drain the jobs that are to be; of those to stop, one that cannot be is ended plainly, or held."""
    jobs, stopped = RECORDS.stopping_jobs(), Stopped()
    blame = partial(end_plainly, epoch=epoch)
    for part in isolate(jobs.ending, lambda part: stopping.stop(RECORDS, part, epoch=epoch), blame) if jobs.ending else []:
        stopped.add(part)
    if jobs.suspending:
        isolate(jobs.suspending, lambda part: stopping.suspend(RECORDS, part, stopped, epoch=epoch), hold)
    if jobs.draining:
        isolate(jobs.draining, lambda part: draining.drain(RECORDS, part, stopped, epoch=epoch), hold)
    return stopped


def end_plainly(job: UUID, reason: str, *, epoch: int) -> None:
    """End a job that cannot be stopped as others are, or hold it with the reason."""
    isolate([job], lambda part: abandonment.end_plainly(RECORDS, part[0], epoch=epoch), lambda *_: hold(job, reason))


def unconfirmed_cancels() -> Stopped:
    """Return the entries that agents were told to end and have not confirmed."""
    return stopping.unconfirmed_cancels(RECORDS)
