"""Checkpoints in memory."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import operations
from switchyard.scheduling.lifecycle.checkpoints import Due, Ended, Open, Running, Standing
from switchyard.scheduling.lifecycle.states import JobState
from switchyard.scheduling.spec.types import CheckpointRule
from switchyard.simulation.memory import states
from switchyard.simulation.memory.operations import Operations
from switchyard.simulation.memory.rows import CheckpointRecord, JobRecord
from switchyard.simulation.memory.store import Store

DEFAULT = CheckpointRule()
#: Checkpoints of a job that are remembered, though their states are deleted.
REMEMBERED = 100
#: The name of the failure of an operation whose checkpoint failed.
FAILED = "CheckpointFailed"


class MemoryCheckpoints(Operations):
    """The checkpoints of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def in_progress(self) -> list[Open]:
        """Return the checkpoints in progress that have asked somebody."""
        return [
            Open(
                each.id,
                each.job,
                self.store.jobs[each.job].row.state,
                each.triggered_at,
                self._rule(each.job).timeout,
                self._rule(each.job).keep,
                list(each.asked),
                states.answered(self.store, each.id),
            )
            for each in self.store.checkpoints.values()
            if each.ended_at is None and each.asked is not None
        ]

    def due(self, now: float) -> list[Due]:
        """Return the running jobs that are to have a checkpoint now."""
        waiting = [each for each in self.store.checkpoints.values() if each.ended_at is None and each.asked is None]
        requested = [Due(each.job, self._rule(each.job).keep, each.id) for each in waiting]
        jobs = [(id_, job, job.checkpoint) for id_, job in self.store.jobs.items() if _runs(job)]
        return requested + [Due(id_, rule.keep) for id_, job, rule in jobs if rule and self._is_due(job, rule, now)]

    def standings(self, tasks: Collection[tuple[int, IndexSet]]) -> list[Standing]:
        """Return where tasks of stages stand."""
        found = (self.store.tasks.get((stage, index)) for stage, indexes in tasks for index in indexes)
        return [
            Standing(task.stage, self.store.stages[task.stage].row.name, task.index, task.attempt, task.state)
            for task in found
            if task
        ]

    def running(self, jobs: Collection[UUID]) -> Mapping[UUID, list[Running]]:
        """Return the tasks of jobs that run, as agents have reported."""
        running: dict[UUID, list[Running]] = defaultdict(list)
        for row in sorted(self.store.assignments.values(), key=lambda row: row.id):
            stage, tasks = self.store.stages[row.stage].row, row.started & row.listed
            if stage.job_id in jobs and not stage.ended and not row.recalled and tasks:
                running[stage.job_id].append((row.stage, row.attempt, tasks, row.session))
        return running

    def count_open(self, job: UUID) -> int:
        """Return how many checkpoints of a job are in progress that people have asked for."""
        return sum(each.ended_at is None and each.operation is not None for each in self._of(job))

    def request(self, job: UUID, operation: UUID) -> int:
        """Write a checkpoint that a person asks for, which asks nobody yet, and return its number."""
        return self._new(job, operation=operation).number

    def open(self, due: Due, asked: Sequence[tuple[int, int, IndexSet]]) -> int:
        """Write a checkpoint that asks these tasks, and return its id."""
        record = self._new(due.job) if due.checkpoint is None else self.store.checkpoints[due.checkpoint]
        self.store.checkpoints[record.id] = replace(record, asked=tuple(asked))
        return record.id

    def end(self, ended: Collection[Ended]) -> None:
        """Write the ends of checkpoints, and delete the states of those that are kept no longer."""
        for each in ended:
            record = self.store.checkpoints[each.id]
            answers = sum(map(len, states.answered(self.store, each.id).values()))
            size = sum(states.sizes(self.store, each.id))
            told = {"failure": each.failure, "discarded": bool(each.failure), "ended_at": self.store.now}
            self.store.checkpoints[each.id] = replace(record, answers=answers, size=size, **told)  # type: ignore[arg-type]
            if record.operation:
                self.end_operations([_operation(record.operation, record.number, each.failure)])
        for each in ended:
            self._discard_old(each.job, each.keep)
        states.discard(self.store, {each.id for each in ended if each.failure})
        states.retire(self.store, {each.id for each in self.store.checkpoints.values() if each.discarded})
        for job in {each.job for each in ended}:
            made = self._of(job)
            newest = max(record.number for record in made)
            for record in made:
                if record.discarded and record.number <= newest - REMEMBERED:
                    del self.store.checkpoints[record.id]

    def _discard_old(self, job: UUID, keep: int) -> None:
        completed = [each for each in self._of(job) if each.completed and not each.discarded]
        gangs = [id_ for id_, each in self.store.stages.items() if each.row.job_id == job and not each.row.ended]
        needed = {states.newest_whole(self.store, id_) for id_ in gangs if states.is_together(self.store, id_)}
        for each in sorted(completed, key=lambda each: -each.number)[keep:]:
            if each.id not in needed:
                self.store.checkpoints[each.id] = replace(each, discarded=True)

    def _new(self, job: UUID, operation: UUID | None = None) -> CheckpointRecord:
        number = max((each.number for each in self._of(job)), default=0) + 1
        record = CheckpointRecord(self.store.next_id(), job, number, self.store.now, operation=operation)
        self.store.checkpoints[record.id] = record
        return record

    def _is_due(self, job: JobRecord, rule: CheckpointRule, now: float) -> bool:
        made = self._of(job.row.id)
        started = job.started_at or 0.0
        triggered = max((each.triggered_at for each in made if each.operation is None), default=started)
        ended = max((each.ended_at for each in made if each.ended_at is not None), default=started)
        is_open = sum(each.ended_at is None for each in made)
        paused = 0 <= now - triggered < rule.interval or 0 <= now - ended < rule.min_pause
        return is_open < rule.max_concurrent and not paused

    def _of(self, job: UUID) -> list[CheckpointRecord]:
        return [each for each in self.store.checkpoints.values() if each.job == job]

    def _rule(self, job: UUID) -> CheckpointRule:
        return self.store.jobs[job].checkpoint or DEFAULT


def _runs(job: JobRecord) -> bool:
    return job.row.state is JobState.RUNNING and job.ended_at is None and not job.held_reason


def _operation(id_: UUID, number: int, failure: str) -> operations.Ended:
    if failure:
        return operations.Ended(id_, failure=operations.Failure(FAILED, f"Checkpoint {number}: {failure}."))
    return operations.Ended(id_, outcome={"checkpoint": number})
