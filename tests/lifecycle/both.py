"""Both adapters of the records side by side: the same rules run on each, and all that they store must be the same."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from artifacts import storing
from database import rows
from jobs.commands import checkpoints, control
from jobs.leader import lease
from jobs.models import Assignment, Attempt, Checkpoint, Edge, Job, Operation, Stage
from jobs.models import Task as TaskModel
from jobs.store import states
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.records import SqlRecords
from jobs.store.reuse import read_origins
from jobs.store.states import State
from nodes import services as node_services
from nodes.models import Event, Node
from switchyard.scheduling.lifecycle import checkpoints as checkpoint_rules
from switchyard.scheduling.lifecycle import requests
from switchyard.scheduling.lifecycle.checkpoints import Checkpoints
from switchyard.scheduling.lifecycle.operations import Kind, Request
from switchyard.scheduling.lifecycle.records import Answer, Records
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from switchyard.scheduling.spec.types import CheckpointRule, JobSpec
from switchyard.simulation.memory import states as memory_states
from switchyard.simulation.memory.checkpoints import MemoryCheckpoints
from switchyard.simulation.memory.records import MemoryRecords
from switchyard.simulation.memory.rows import OperationRecord, StateRecord, TaskRecord
from switchyard.simulation.memory.store import Store
from tests.jobs.checkpointing import DATA, DIGEST, Task
from tests.jobs.submissions import submit
from tests.lifecycle import saved
from tests.people import ANN

T = TypeVar("T")
#: Events of what people do, which the rules do not write.
BY_PEOPLE = {"job_submitted", "job_reused", "node_registered", "lease_taken"}
#: Seconds, or parts of them, by which the same time may differ.
TOLERANCE = 1e-3
OF_ATTEMPT = ("attempt", "exit_class", "exit_code", "error", "inputs")


class Timed(SqlRecords):
    """The records in SQL; `now` is the time of the last transaction."""

    now = 0.0

    def __init__(self) -> None:
        asking = super().ask_lease

        def ask_lease(epoch: int) -> Answer[float]:
            asked = asking(epoch)

            def answer() -> float:
                self.now = asked()
                return self.now

            return answer

        self.ask_lease = ask_lease


class Both:
    """The records in SQL and in memory, which people and agents change alike."""

    def __init__(self) -> None:
        self.sql = Timed()
        self.store = Store(rows.now().timestamp())
        self.memory = MemoryRecords(self.store)
        self.checkpoints = MemoryCheckpoints(self.store)
        taken = lease.take("test")
        assert taken is not None
        self.epoch = self.store.epoch = taken

    def run(self, rule: Callable[[Records], T], same: Callable[[T], object] = lambda answer: answer) -> T:
        """Let a rule work on both, and compare what is stored, and of its answers what `same` returns."""
        self.store.now = max(self.store.now, rows.now().timestamp())
        one = rule(self.sql)
        self.store.now = max(self.store.now, self.sql.now)
        other = rule(self.memory)
        self.compare(same(one), same(other))
        return other

    def compare(self, one: object = None, other: object = None) -> None:
        found = [*differences("answer", one, other), *differences("", stored_in_sql(), stored_in_memory(self.store))]
        assert found == [], "\n".join(found)

    def submit(self, spec: JobSpec) -> UUID:
        id_ = submit(spec)
        job = Job.objects.get(id=id_)
        stages = Stage.objects.filter(job=job).order_by("position").values_list("id", flat=True)
        self.store.submit(id_, job.number, spec, list(stages))
        return id_

    def register(self, name: str, **totals: int) -> int:
        info = {"agent": f"of {name}"}
        node, _ = node_services.register(name, totals=totals, labels={}, pool="default", info=info)
        self.store.register(node.id, name, node.session, totals)
        return node.id

    def cancel(self, id_: UUID) -> None:
        control.cancel(ANN, id_)
        requests.cancel(self.memory, id_, ANN.name)

    def drain(self, id_: UUID) -> None:
        if requests.drain(self.memory, id_, ANN.name):
            control.drain(ANN, id_)

    def suspend(self, id_: UUID) -> None:
        if requests.suspend(self.memory, id_, ANN.name, "for a while"):
            control.suspend(ANN, id_, "for a while")

    def checkpoint(self, id_: UUID) -> None:
        """Ask for a checkpoint of a job, if it runs and has no such in progress."""
        if self.store.jobs[id_].row.state is JobState.RUNNING and not self.checkpoints.count_open(id_):
            checkpoints.trigger(ANN, id_)
            seconds = (self.store.jobs[id_].checkpoint or CheckpointRule()).timeout + checkpoints.LONGER
            operation = self.memory.request_operation(Request(Kind.CHECKPOINT, ANN.name, seconds, id_))
            self.checkpoints.request(id_, operation)

    def step(self) -> None:
        """Let checkpoints end and begin, and compare what is asked, and which tasks go on from what."""

        def step(records: Records) -> object:
            is_sql = records is self.sql
            port: Checkpoints = CHECKPOINTS if is_sql else self.checkpoints
            asked = checkpoint_rules.step(records, port, epoch=self.epoch)
            numbers = dict(Checkpoint.objects.values_list("id", "number")) if is_sql else self._numbers()
            told = {who: sorted([*parts[:3], numbers[parts[3]]] for parts in each) for who, each in asked.items()}
            last = states.last if is_sql else partial(memory_states.last, self.store)
            return told, [[saved.kept(each) for each in last(stage, 0, 100)] for stage in self.store.stages]

        self.run(step)

    def keep(self, node: int, checkpoint: tuple[UUID, int] | None, kept: Sequence[tuple[Task, int]]) -> None:
        """Let an agent store states of tasks, each with its size, for a checkpoint of a job or each for itself."""
        stage = kept[0][0][0]
        of_sql = Checkpoint.objects.get(job=checkpoint[0], number=checkpoint[1]).id if checkpoint else None
        in_memory = next((id_ for id_, each in self.store.checkpoints.items() if (each.job, each.number) == checkpoint), None)
        sql = [State(index, attempt, 0, size, True, -1, 0, 0) for (_, attempt, index), size in kept]
        memory = [StateRecord(index, attempt, size) for (_, attempt, index), size in kept]
        storing.store(DIGEST, [DATA])
        self.store.now = rows.now().timestamp()
        one = states.keep(node, stage, of_sql, DIGEST, sql)
        self.compare(one, memory_states.keep(self.store, node, stage, in_memory, memory))

    def _numbers(self) -> dict[int, int]:
        return {id_: each.number for id_, each in self.store.checkpoints.items()}

    def late(self, seconds: float) -> None:
        """Let jobs have started, and checkpoints have begun and ended, earlier."""
        rows.execute("UPDATE jobs_job SET started_at = started_at - %s * interval '1 second'", [seconds])
        for job, record in self.store.jobs.items():
            if record.started_at is not None:
                self.store.jobs[job] = replace(record, started_at=record.started_at - seconds)
        rows.execute(
            "UPDATE jobs_checkpoint SET triggered_at = triggered_at - %(by)s * interval '1 second', "
            "ended_at = ended_at - %(by)s * interval '1 second'",
            {"by": seconds},
        )
        for id_, each in self.store.checkpoints.items():
            ended = None if each.ended_at is None else each.ended_at - seconds
            self.store.checkpoints[id_] = replace(each, triggered_at=each.triggered_at - seconds, ended_at=ended)

    def age(self, seconds: float) -> None:
        """Let the deadlines of operations be nearer."""
        rows.execute(
            "UPDATE jobs_operation SET deadline = deadline - %s * interval '1 second', "
            "requested_at = requested_at - %s * interval '1 second' WHERE ended_at IS NULL",
            [seconds, seconds],
        )
        for id_, each in self.store.operations.items():
            if each.ended is None:
                asked, deadline = each.requested_at - seconds, each.deadline - seconds
                self.store.operations[id_] = replace(each, requested_at=asked, deadline=deadline)

    def resume(self, id_: UUID) -> None:
        if requests.resume(self.memory, id_, ANN.name):
            control.resume(ANN, id_)


def stored_in_sql() -> dict[str, Any]:
    """Return what PostgreSQL has, by table and key."""
    resources: dict[int, dict[str, tuple[int, int, int]]] = {}
    for node, name, *amounts in rows.fetch("SELECT node_id, name, total, capacity, held FROM nodes_noderesource"):
        resources.setdefault(node, {})[name] = tuple(amounts)
    return {
        "jobs": {
            job.id: (
                JobState(job.state),
                job.stages_ended,
                job.failures,
                job.error,
                job.intent,
                _suspended(job),
                *_times(job)[1:],
            )
            for job in Job.objects.all()
        },
        "stages": {stage.id: _stage_in_sql(stage) for stage in Stage.objects.all()},
        "edges": sorted(Edge.objects.values_list("producer_id", "consumer_id")),
        "tasks": {(t.stage_id, t.index): (*_attempt_in_sql(t), *_rest_in_sql(t)) for t in TaskModel.objects.all()},
        "attempts": {(a.stage_id, a.index, a.attempt): _attempt_in_sql(a) for a in Attempt.objects.all()},
        "assignments": {
            (a.node_id, a.entry): (a.session, a.stage_id, a.attempt, a.demand, a.after, _ranges(a), a.recalled, a.pause)
            for a in Assignment.objects.all()
        },
        "waiting": {(a.node_id, a.entry): a.waiting for a in Assignment.objects.all()},
        "nodes": {
            n.id: (n.session, n.last_report, n.last_entry, n.silent_since is not None, resources.get(n.id, {}))
            for n in Node.objects.all()
        },
        "operations": [
            (o.kind, o.job_id, o.arguments, o.requested_by, o.ended_at is not None, o.outcome, o.failure)
            for o in Operation.objects.order_by("number")
        ],
        **saved.in_sql(),
        "events": sorted(
            (e.kind, e.text, str(e.job_id), e.node_id or 0) for e in Event.objects.all() if e.kind not in BY_PEOPLE
        ),
    }


def stored_in_memory(store: Store) -> dict[str, Any]:
    """Return what memory has, in the same shape."""
    return {
        "jobs": {
            id_: (
                job.row.state,
                job.row.stages_ended,
                job.row.failures,
                job.error,
                job.row.intent,
                _suspended(job),
                *_times(job)[1:],
            )
            for id_, job in store.jobs.items()
        },
        "stages": {
            id_: (
                *_of_stage(stage.row),
                list(stage.row.counts),
                stage.row.next_due,
                stage.row.run_seconds,
                *_times(stage)[1:],
                stage.row.avoided and json.loads(stage.row.avoided),
                [list(mark) for mark in stage.let_through],
                stage.refusal is not None,
                stage.reused and _reused(stage.reused.origins, stage.reused.reasons),
            )
            for id_, stage in store.stages.items()
        },
        "edges": sorted((edge.producer, edge.consumer) for edge in store.edges),
        "tasks": {key: (*_attempt_in_memory(task), *_rest_in_memory(task)) for key, task in store.tasks.items()},
        "attempts": {(task.stage, task.index, task.attempt): _attempt_in_memory(task) for task in store.attempts},
        "assignments": {
            (a.node, a.entry): (a.session, a.stage, a.attempt, a.demand, a.after, _ranges(a), a.recalled, a.pause)
            for a in store.assignments.values()
        },
        "waiting": {(a.node, a.entry): a.waiting for a in store.assignments.values()},
        "nodes": {
            n.id: (n.session, n.last_report, n.last_entry, n.silent_since is not None, n.resources)
            for n in store.nodes.values()
        },
        "operations": [_operation(each) for each in store.operations.values()],
        **saved.in_memory(store),
        "events": sorted((told.kind, told.text, str(told.job), told.node or 0) for _, told in store.events),
    }


def differences(path: str, one: Any, other: Any) -> Iterator[str]:
    """Yield where two values differ; times and durations may by a little."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            yield from differences(f"{path}/{key}", one.get(key, "nothing"), other.get(key, "nothing"))
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(f"{path}/{number}", left, right)
    elif isinstance(one, float) and isinstance(other, float):
        if abs(one - other) > TOLERANCE:
            yield f"{path}: {one} in SQL, {other} in memory"
    elif one != other:
        yield f"{path}: {one!r} in SQL, {other!r} in memory"


def _stage_in_sql(stage: Stage) -> tuple[Any, ...]:
    return (
        *_of_stage(stage),
        stage.counts,
        stage.next_due.timestamp() if stage.next_due else None,
        stage.run_seconds,
        *_times(stage)[1:],
        stage.avoided,
        stage.let_through or [],
        stage.refusal is not None,
        None if stage.origins is None else _reused(read_origins(json.dumps(stage.origins)), stage.rerun),
    )


def _reused(origins: Any, reasons: Any) -> tuple[Any, ...]:
    return ([(job, stage, tasks.to_multirange()) for job, stage, tasks in origins], list(reasons))


def _of_stage(stage: Any) -> tuple[Any, ...]:
    sets = (stage.unplaced, stage.blocked, stage.delayed, stage.spent, stage.done)
    return (stage.parallelism, stage.open_needs, *(each.to_multirange() for each in sets))


def _suspended(job: Any) -> tuple[bool, str, str]:
    return job.suspended_at is not None, job.suspended_by, job.suspend_reason


def _operation(record: OperationRecord) -> tuple[Any, ...]:
    asked, ended = record.request, record.ended
    failure = [ended.failure.name, ended.failure.text] if ended and ended.failure else None
    outcome = ended.outcome if ended else None
    return (asked.kind, asked.job, dict(asked.arguments), asked.by, ended is not None, outcome, failure)


def _ranges(assignment: Any) -> tuple[str, ...]:
    return tuple(each.to_multirange() for each in (assignment.listed, assignment.held, assignment.started))


def _times(row: Any) -> tuple[bool, ...]:
    """Return which times a row has: when it was scheduled, if that is known of it, started and ended."""
    return tuple(getattr(row, name, None) is not None for name in ("scheduled_at", "started_at", "ended_at"))


def _attempt_in_sql(task: TaskModel | Attempt) -> tuple[Any, ...]:
    return (TaskState(task.state), task.node_id, *(getattr(task, name) for name in OF_ATTEMPT), *_times(task))


def _attempt_in_memory(task: TaskRecord) -> tuple[Any, ...]:
    return (task.state, task.node, *(getattr(task, name) for name in OF_ATTEMPT), *_times(task))


def _rest_in_sql(task: TaskModel) -> tuple[Any, ...]:
    return (task.failures, task.losses, task.result, task.not_before.timestamp() if task.not_before else None)


def _rest_in_memory(task: TaskRecord) -> tuple[Any, ...]:
    result = None if task.result is None else json.loads(task.result)
    return (task.failures, task.losses, result, task.not_before)
