"""What happens to tasks in memory: the statements of jobs.store, one task at a time."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.ends import End, Judged
from switchyard.scheduling.lifecycle.facts import Current, Exposed, Part
from switchyard.scheduling.lifecycle.reports import Finished, Report
from switchyard.scheduling.lifecycle.states import TaskState, sources
from switchyard.scheduling.lifecycle.transitions import NOT_BEGUN, STARTABLE, Move, live_before
from switchyard.simulation.memory.rows import TaskRecord
from switchyard.simulation.memory.store import Store

#: What is of a task, whatever its attempts.
OF_TASK = ("stage", "index", "state", "attempt", "failures", "losses", "not_before")
#: What the next attempt begins with.
BLANK: dict[str, Any] = {field.name: field.default for field in fields(TaskRecord) if field.name not in OF_TASK}
#: What an end has of it.
REPORTED = tuple(name for name in BLANK if name in End.__struct_fields__)


class Tasks:
    """The tasks of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def finish(self, groups: Sequence[tuple[int, int, Finished]]) -> list[Move]:
        """End tasks FINISHED, given as (node, what its clock showed, group)."""
        moved = Moved(self.store)
        for node, sent, group in groups:
            metrics, inputs = _filled(group.metrics, group.indexes), _filled(group.inputs, group.indexes)
            told = zip(group.indexes, group.begun, group.ended, group.results, metrics, inputs, strict=True)
            for index, begun, ended, result, measured, handed in told:
                task = self._attempt(node, group.stage, group.attempt, index, live_before(TaskState.FINISHED))
                if task:
                    moved.move(
                        task,
                        TaskState.FINISHED,
                        **self._times(task, sent - begun, sent - ended),
                        result=result,
                        metrics=measured or task.metrics,
                        inputs=handed or None,
                    )
        return moved.moves()

    def end(self, judged: Sequence[Judged]) -> list[Move]:
        """End attempts of which more is to be recorded than a result."""
        moved = Moved(self.store)
        for item in judged:
            end = item.end
            task = self._attempt(item.node, end.stage, end.attempt, end.index, live_before(TaskState.FINISHED))
            if task:
                moved.move(
                    task,
                    item.after,
                    **self._times(task, None if end.begun is None else item.sent - end.begun, item.sent - end.ended),
                    failures=item.failures,
                    losses=item.losses,
                    not_before=item.due,
                    **{name: getattr(end, name) for name in REPORTED} | {"inputs": end.inputs or None},
                )
        return moved.moves()

    def give_back(self, returns: Sequence[tuple[Part, TaskState]]) -> list[Move]:
        """Move tasks that never started to CREATED or CANCELED."""
        moved, now = Moved(self.store), self.store.now
        for part, after in returns:
            for task in self._attempts(part, NOT_BEGUN):
                if after == TaskState.CREATED:
                    moved.move(task, after, scheduled_at=None, ended_at=None)
                else:
                    moved.move(task, after, ended_at=max(task.scheduled_at or now, now))
        return moved.moves()

    def start(self, starts: Sequence[tuple[int, int, int, int, int]]) -> list[Move]:
        """Move tasks, named as (node, stage, attempt, index, microseconds since), to RUNNING."""
        moved, now = Moved(self.store), self.store.now
        for node, stage, attempt, index, since in starts:
            task = self._attempt(node, stage, attempt, index, STARTABLE)
            if task:
                moved.move(task, TaskState.RUNNING, started_at=latest(task.scheduled_at, now - since / 1e6))
        return moved.moves()

    def update(self, reports: Sequence[Report]) -> None:
        """Write metrics and accumulators of running tasks."""
        for report in reports:
            for told in report.updates:
                task = self._attempt(report.node, told.stage, told.attempt, told.index, frozenset(TaskState))
                if task and task.ended_at is None:
                    metrics = task.metrics if told.metrics is None else told.metrics
                    accumulators = task.accumulators if told.accumulators is None else told.accumulators
                    changed = replace(task, metrics=metrics, accumulators=accumulators)
                    self.store.tasks[task.stage, task.index] = changed

    def current(
        self, ends: Sequence[tuple[int, int, int, int]], states: frozenset[TaskState]
    ) -> dict[tuple[int, int], Current]:
        """Return the tasks, named as (node, stage, attempt, index), whose attempt this is now, if in one of `states`."""
        found = (self._attempt(node, stage, attempt, index, states) for node, stage, attempt, index in ends)
        return {(task.stage, task.index): Current(task.state, task.failures, task.losses) for task in found if task}

    def running(self, parts: Sequence[Part]) -> list[tuple[int, int]]:
        """Return the tasks of these parts that have begun and have not ended, as (number of the part, index)."""
        live = frozenset({TaskState.RUNNING, TaskState.CANCELING})
        found = [(number, task) for number, part in enumerate(parts) for task in self._attempts(part, live)]
        return [(number, task.index) for number, task in found if task.started_at is not None]

    def exposed(self, parts: Iterable[tuple[int, int, int, int]], least: int) -> list[Exposed]:
        """Return the tasks, of those named as (node, stage, low, high), that were lost at least so often."""
        return [
            Exposed(stage, index, task.losses, self._lost_elsewhere(task, node), self._alone(node))
            for node, stage, low, high in parts
            for index in range(low, high)
            if (task := self.store.tasks.get((stage, index))) and task.node == node and task.losses >= least
        ]

    def canceled(self, stages: Collection[int]) -> dict[int, IndexSet]:
        """Return the canceled tasks of each stage. Stages without any are left out."""
        found: dict[int, list[int]] = defaultdict(list)
        for task in self.store.tasks.values():
            if task.stage in stages and task.state == TaskState.CANCELED:
                found[task.stage].append(task.index)
        return {stage: IndexSet.from_indexes(indexes) for stage, indexes in found.items()}

    def cancel_created(self, chosen: Sequence[tuple[int, IndexSet]]) -> None:
        """Move tasks of stages from CREATED to CANCELED."""
        for task in self._in(chosen, frozenset({TaskState.CREATED})):
            Moved(self.store).move(task, TaskState.CANCELED, ended_at=self.store.now)

    def cancel_listed(self, chosen: Sequence[tuple[int, IndexSet]]) -> list[Move]:
        """Move listed tasks of stages to CANCELING."""
        moved = Moved(self.store)
        for task in self._in(chosen, sources(TaskState.CANCELING)):
            moved.move(task, TaskState.CANCELING)
        return moved.moves()

    def renew(self, stage: int) -> None:
        """Make all tasks of a stage CREATED under a new attempt number, each with the most failures that one has."""
        tasks = [task for task in self.store.tasks.values() if task.stage == stage]
        most = max(task.failures for task in tasks)
        for task in tasks:
            ended = TaskState.CANCELED if task.ended_at is None else task.state_when_over
            self.store.attempts.append(replace(task, state=ended if task.state == TaskState.CREATED else task.state))
            blank = {**BLANK, "failures": most}
            fresh = replace(task, state=TaskState.CREATED, attempt=task.attempt + 1, **blank)
            self.store.tasks[task.stage, task.index] = fresh

    def _attempt(self, node: int, stage: int, attempt: int, index: int, states: frozenset[TaskState]) -> TaskRecord | None:
        """Return a task if this is its current attempt, on this node, and in one of these states."""
        task = self.store.tasks.get((stage, index))
        return task if task and (task.node, task.attempt) == (node, attempt) and task.state in states else None

    def _attempts(self, part: Part, states: frozenset[TaskState]) -> Iterator[TaskRecord]:
        for index in range(part.low, part.high):
            task = self._attempt(part.node, part.stage, part.attempt, index, states)
            if task:
                yield task

    def _in(self, chosen: Sequence[tuple[int, IndexSet]], states: frozenset[TaskState]) -> Iterator[TaskRecord]:
        for stage, indexes in chosen:
            for index in indexes:
                task = self.store.tasks.get((stage, index))
                if task and task.state in states:
                    yield task

    def _times(self, task: TaskRecord, begun: int | None, ended: int) -> dict[str, float | None]:
        """Return when an attempt started and ended, by how many microseconds ago it says."""
        now = self.store.now
        started = None if begun is None else now - begun / 1e6
        return {
            "started_at": task.started_at or latest(task.scheduled_at, started),
            "ended_at": latest(task.started_at, task.scheduled_at, now - ended / 1e6),
        }

    def _lost_elsewhere(self, task: TaskRecord, node: int) -> bool:
        return any(
            (old.stage, old.index, old.exit_class) == (task.stage, task.index, "lost") and old.node not in (None, node)
            for old in self.store.attempts
        )

    def _alone(self, node: int) -> bool:
        pool = self.store.nodes[node].pool
        return not any(n.pool == pool and n.id != node and n.active and n.session for n in self.store.nodes.values())


class Moved:
    """Tasks that a statement moves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._moved: dict[tuple[int, int, TaskState, TaskState], list[int]] = defaultdict(list)

    def move(self, task: TaskRecord, after: TaskState, **changes: Any) -> None:
        moved = self._store.tasks[task.stage, task.index] = replace(task, state=after, **changes)
        self._moved[moved.node or 0, task.stage, task.state, after].append(task.index)

    def moves(self) -> list[Move]:
        return [Move(*key, IndexSet.from_indexes(indexes)) for key, indexes in sorted(self._moved.items())]


def _filled(values: Sequence[Any], indexes: Sequence[int]) -> list[Any]:
    """Return a column that may be shorter than the indexes at its full length."""
    return [*values, *[None] * (len(indexes) - len(values))]


def latest(*times: float | None) -> float | None:
    return max((at for at in times if at is not None), default=None)
