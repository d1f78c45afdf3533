"""Jobs that waited or ran for longer than they may; the time for which they were suspended does not count."""

from collections.abc import Collection
from uuid import UUID

from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import Deadline
from switchyard.scheduling.lifecycle.records import Changes, Records


def expire(records: Records, *, epoch: int, jobs: Collection[UUID] | None = None) -> None:
    """Fail the jobs whose time is over; of these jobs alone, where any are given."""
    with records.transaction():
        now = records.ask_lease(epoch)()
        late = {each.job: reason for each in records.deadlines(jobs) if (reason := _lateness(each, now))}
        failing = [job for job in records.lock_jobs(late) if not (job.stopping or job.suspended)] if late else []
        for job in failing:
            job.fail(f"the job {late[job.id]}")
        told = [Told("job_failing", f"The job {late[job.id]}.", job.id) for job in failing]
        records.write(Changes(jobs=failing, events=told))


def _lateness(deadline: Deadline, now: float) -> str:
    now -= deadline.suspended
    if deadline.started_at is None:
        waited = deadline.queue is not None and deadline.created_at + deadline.queue < now
        return "waited longer than its queue timeout" if waited else ""
    ran = deadline.run is not None and deadline.started_at + deadline.run < now
    return "ran longer than its run timeout" if ran else ""
