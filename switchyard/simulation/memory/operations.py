"""Operations in memory."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.lifecycle.operations import Ended, Open, Request, Target
from switchyard.simulation.memory.rows import OperationRecord
from switchyard.simulation.memory.store import Store


class Operations:
    """The operations of a store."""

    store: Store

    def request_operation(self, request: Request) -> UUID:
        """Write an operation that begins now, and return its id."""
        id_, now = UUID(int=self.store.next_id()), self.store.now
        self.store.operations[id_] = OperationRecord(request, now, now + request.seconds)
        return id_

    def open_operations(self, jobs: Collection[UUID] | None) -> list[Open]:
        """Return the operations in progress, the oldest first; of these jobs alone, if any are given."""
        return [
            Open(id_, each.request.kind, each.requested_at, each.deadline, self._target(each.request.job))
            for id_, each in self.store.operations.items()
            if each.ended is None and (jobs is None or each.request.job in jobs)
        ]

    def end_operations(self, ended: Sequence[Ended]) -> None:
        """End operations that are in progress; others stay as they ended."""
        for each in ended:
            record = self.store.operations[each.id]
            if record.ended is None:
                self.store.operations[each.id] = replace(record, ended=each, ended_at=self.store.now)

    def _target(self, job: UUID | None) -> Target | None:
        if job is None:
            return None
        row = self.store.jobs[job].row
        return Target(row.state, row.intent)
