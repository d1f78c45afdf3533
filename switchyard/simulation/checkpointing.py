"""I18 and I19: the invariants of checkpoints, and of the states that tasks go on from, held to what was stored."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.simulation.database import Database
from switchyard.simulation.memory.checkpoints import DEFAULT
from switchyard.simulation.memory.rows import CheckpointRecord, SavedRecord
from switchyard.simulation.truth import Execution, Snapshot

#: Seconds beyond its timeout after which a checkpoint has ended, if a leader was at work meanwhile.
BOUND = 5.0


@dataclass(slots=True)
class Answers:
    """The states of a completed checkpoint by task; None for a task that had saved none."""

    id: int
    states: dict[tuple[int, int], Snapshot | None] = field(default_factory=dict)

    def tasks(self, stage: int) -> IndexSet:
        return IndexSet.from_indexes(index for of, index in self.states if of == stage)


class Checkpointing:
    """Knows all checkpoints that were ever completed, and all states that tasks could have gone on from."""

    def __init__(self, database: Database, note: Callable[[str], None]) -> None:
        self._database = database
        self._note = note
        self._seen: tuple[dict[int, CheckpointRecord], dict[int, SavedRecord]] = ({}, {})
        self._completed: dict[int, Answers] = {}
        self._own: dict[tuple[int, int], Snapshot] = {}
        self._since: dict[int, float] = {}
        #: By gang and attempt, the checkpoint from which its first member began.
        self._gangs: dict[tuple[int, int], int | None] = {}

    def committed(self, now: float, led_since: float) -> Iterator[str]:
        """Look at what was committed; yield what is wrong with it."""
        store = self._database.store
        yield from self._late(now, led_since)
        if self._seen == (seen := (dict(store.checkpoints), dict(store.saved_states))):
            return
        (earlier, before), self._seen = self._seen, seen
        for saved in store.saved_states.values():
            if saved.checkpoint is None:
                for task, snapshot in _states(saved):
                    if snapshot and snapshot.is_later_than(self._own.get(task)):
                        self._own[task] = snapshot
        for record in store.checkpoints.values():
            if record != earlier.get(record.id):
                self._note(f"checkpoint {record.id} {_told(record)}")
            if record.completed and record.id not in self._completed:
                yield from self._complete(record, store.saved_states | before)

    def forget(self) -> None:
        """Know only what the records say: they fell back."""
        self.__init__(self._database, self._note)  # type: ignore[misc]
        saved = self._database.store.saved_states
        for record in self._database.store.checkpoints.values():
            if record.completed:
                self._answered(record, saved)

    def begins(self, execution: Execution) -> Iterator[str]:
        """Yield what is wrong with the state that a task goes on from."""
        restored, task = execution.restored, (execution.stage, execution.index)
        if restored is None:
            checkpoint = state = None
        else:
            checkpoint, state = restored.checkpoint, restored.snapshot
            if (state.stage, state.index) != task:
                yield f"{execution} goes on from a state of another task"
            if checkpoint is not None and checkpoint not in self._completed:
                yield f"{execution} goes on from checkpoint {checkpoint}, which is not completed"
        if self._is_gang(execution.stage):
            yield from self._member_begins(execution, checkpoint)
        elif restored and restored.least and restored.least.is_later_than(state):
            yield f"{execution} goes on from {state}, though {restored.least} was stored"

    def least(self, stage: int, index: int) -> Snapshot | None:
        """Return the last state that a task may go on from as things stand."""
        found = self._own.get((stage, index))
        for each in self._completed.values():
            state = each.states.get((stage, index))
            if state and state.is_later_than(found):
                found = state
        return found

    def _member_begins(self, execution: Execution, checkpoint: int | None) -> Iterator[str]:
        """The members of a gang begin from the newest checkpoint that has all of them, or all from nothing."""
        newest = self._newest_whole(execution.stage)
        if checkpoint is None and newest and newest.states[execution.stage, execution.index] is None:
            checkpoint = newest.id
        if checkpoint != (newest and newest.id):
            yield f"{execution} goes on from checkpoint {checkpoint}, not from {newest and newest.id}"
        first = self._gangs.setdefault((execution.stage, execution.attempt), checkpoint)
        if first != checkpoint:
            yield f"{execution} goes on from checkpoint {checkpoint}, another member of its gang from {first}"

    def _newest_whole(self, stage: int) -> Answers | None:
        everyone = IndexSet.span(0, self._database.store.stages[stage].row.parallelism)
        whole = [each for each in self._completed.values() if each.tasks(stage) == everyone]
        return max(whole, key=lambda each: each.id, default=None)

    def _is_gang(self, stage: int) -> bool:
        row = self._database.store.stages[stage].row
        return row.gang and self._database.store.jobs[row.job_id].checkpoint is not None

    def _complete(self, record: CheckpointRecord, stored: Mapping[int, SavedRecord]) -> Iterator[str]:
        """Check the answers to a checkpoint, which are deleted at once if newer ones are completed."""
        store, answers = self._database.store, self._answered(record, stored)
        for stage, attempt, tasks in record.asked or ():
            for index in tasks - answers.tasks(stage):
                task = store.tasks[stage, index]
                if (task.attempt, task.state) != (attempt, TaskState.FINISHED):
                    yield f"checkpoint {record.id} is completed, and {task} has neither answered nor finished"

    def _answered(self, record: CheckpointRecord, stored: Mapping[int, SavedRecord]) -> Answers:
        """Note the answers to a checkpoint that is completed."""
        answers = self._completed[record.id] = Answers(record.id)
        for saved in stored.values():
            if saved.checkpoint == record.id:
                answers.states.update(_states(saved))
        return answers

    def _late(self, now: float, led_since: float) -> Iterator[str]:
        jobs = self._database.store.jobs
        for record in self._database.store.checkpoints.values():
            if record.ended_at is None:
                since = max(self._since.setdefault(record.id, now), led_since)
                if now - since > (jobs[record.job].checkpoint or DEFAULT).timeout + BOUND:
                    yield f"checkpoint {record.id} has been in progress for {now - since:.0f} s: {record}"


def _states(saved: SavedRecord) -> Iterator[tuple[tuple[int, int], Snapshot | None]]:
    for state in saved.states:
        snapshot = state.content if isinstance(state.content, Snapshot) else None
        yield (saved.stage, state.index), snapshot


def _told(record: CheckpointRecord) -> str:
    if record.ended_at is None:
        asked = ", ".join(f"{stage}{tasks.to_json()} attempt {attempt}" for stage, attempt, tasks in record.asked or ())
        return f"asks {asked or 'nobody'}"
    ended = f"fails: {record.failure}" if record.failure else f"is completed by {record.answers} answers"
    return f"{ended}{', and is discarded' if record.discarded else ''}"
