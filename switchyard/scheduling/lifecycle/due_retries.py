"""Backoffs that are over."""

from collections.abc import Collection
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.work import UnitOfWork


def release(records: Records, *, epoch: int, jobs: Collection[UUID] | None = None) -> None:
    """Let tasks be placed whose backoff is over; of these jobs alone, where any are given."""
    due = records.due(jobs)
    if not due:
        return
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        work.lock_stages(stage for stage, _ in due)
        for stage in work.stages.values():
            waiting = [(index, at) for index, at in records.not_before(stage.id, stage.delayed) if at > work.now]
            stage.delayed = IndexSet.from_indexes(index for index, _ in waiting)
            stage.next_due = min((at for _, at in waiting), default=None)
            stage.changed = True
        work.write()
