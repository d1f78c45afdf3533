"""The port of the rules, answered from a store in memory."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.lifecycle.facts import Buffer, Listed, Need, Resource, Stopping
from switchyard.scheduling.lifecycle.records import Answer, Changes, LeaseLost, NotItems
from switchyard.scheduling.lifecycle.reports import Report
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, Room, StageRow
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState, TaskState
from switchyard.scheduling.spec.types import Constraint, Exchange
from switchyard.simulation.memory.jobs import Jobs
from switchyard.simulation.memory.operations import Operations
from switchyard.simulation.memory.recovery import Recovery
from switchyard.simulation.memory.rounds import Rounds
from switchyard.simulation.memory.rows import JobRecord, StageRecord
from switchyard.simulation.memory.store import copy_of
from switchyard.simulation.memory.tasks import Tasks

#: Jobs of a kind that one answer names.
SOME = 100
T = TypeVar("T")


class MemoryRecords(Tasks, Rounds, Recovery, Jobs, Operations):
    """Jobs, stages, tasks, lists and nodes as a store has them; what is read are copies."""

    def transaction(self) -> AbstractContextManager[None]:
        """Keep all that is written meanwhile, or nothing of it where an error is raised."""
        return self.store.transaction()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do nothing: here every answer is there at once."""
        yield

    def ask_lease(self, epoch: int) -> Answer[float]:
        """Return the time of the transaction; raise LeaseLost if another leads."""

        def answer() -> float:
            if epoch != self.store.epoch:
                raise LeaseLost
            return self.store.now

        return answer

    def ask_sessions(self, nodes: Collection[int]) -> Answer[dict[int, tuple[str, int]]]:
        """Return the session and the last report of each node."""
        found = [self.store.nodes[node] for node in nodes if node in self.store.nodes]
        return _at_once({node.id: (node.session, node.last_report) for node in found})

    def ask_stages(self, stages: Collection[int]) -> Answer[tuple[list[StageRow], dict[UUID, JobRow]]]:
        """Return stages and their jobs."""
        found = [self.store.stages[id_].row for id_ in stages if id_ in self.store.stages]
        found.sort(key=lambda stage: (stage.job_id, stage.id))
        jobs = {stage.job_id: replace(self.store.jobs[stage.job_id].row) for stage in found}
        return _at_once(([copy_of(stage) for stage in found], jobs))

    def ask_lists(self, nodes: Collection[int]) -> Answer[tuple[list[AssignmentRow], list[Resource]]]:
        """Return the lists of nodes, in their order, and what the nodes have."""
        listed = [replace(assignment) for assignment in self.store.assignments.values() if assignment.node in nodes]
        listed.sort(key=lambda assignment: assignment.entry)
        resources = [
            Resource(node.id, name, *amounts)
            for node in self.store.nodes.values()
            if node.id in nodes
            for name, amounts in node.resources.items()
        ]
        return _at_once((listed, resources))

    def ask_consumers(self, stages: Collection[int]) -> Answer[list[tuple[int, int]]]:
        """Return (stage, a stage that needs all of it)."""
        edges = self.store.edges
        return _at_once([(e.producer, e.consumer) for e in edges if e.producer in stages and e.exchange is Exchange.ALL])

    def pointwise_needs(self, producer: int) -> list[tuple[int, int]]:
        """Return the pointwise edges, as (consumer, producer), of all pointwise consumers of a stage."""
        pointwise = [edge for edge in self.store.edges if edge.exchange is Exchange.POINTWISE]
        consumers = {edge.consumer for edge in pointwise if edge.producer == producer}
        return [(edge.consumer, edge.producer) for edge in pointwise if edge.consumer in consumers]

    def pointwise_producers(self, consumer: int) -> list[int]:
        """Return the stages that a stage reads from task by task."""
        return [e.producer for e in self.store.edges if e.consumer == consumer and e.exchange is Exchange.POINTWISE]

    def gangs(self, stages: Collection[int]) -> set[int]:
        """Return which of these stages are gangs."""
        return {stage for stage in stages if self.store.stages[stage].row.gang}

    def suspending(self, stages: Collection[int]) -> set[int]:
        """Return which of these stages are of jobs that are being suspended."""
        jobs = self.store.jobs
        return {id_ for id_ in stages if jobs[self.store.stages[id_].row.job_id].row.state is JobState.SUSPENDING}

    def buffers(self, stages: Collection[int]) -> list[Buffer]:
        """Return all buffers of the stages that feed a buffer at either end of which one of these stages is."""
        buffers = [Buffer(e.producer, e.consumer, e.buffer) for e in self.store.edges if e.buffer is not None]
        producers = {b.producer for b in buffers if b.producer in stages or b.consumer in stages}
        return [buffer for buffer in buffers if buffer.producer in producers]

    def listed(self, stages: Collection[int]) -> list[Listed]:
        """Return where tasks of these stages are listed."""
        return [Listed(a.node, a.stage, a.listed, a.started) for a in self.store.assignments.values() if a.stage in stages]

    def nodes_listing(self, stages: Collection[int]) -> list[int]:
        """Return the nodes on whose lists tasks of these stages stand."""
        return sorted({a.node for a in self.store.assignments.values() if a.stage in stages})

    def nodes_recalled(self) -> list[int]:
        """Return the nodes on whose lists entries stand that are to end."""
        return sorted({a.node for a in self.store.assignments.values() if a.recalled})

    def stopping_jobs(self) -> Stopping:
        """Return the jobs of which something is to end, some at a time, without those that are held."""
        live = sorted(job.row.id for job in self.store.jobs.values() if job.ended_at is None and not job.held_reason)
        rows = [self.store.jobs[id_].row for id_ in live]
        ending = [row.id for row in rows if row.state in (JobState.CANCELING, JobState.FAILING)]
        suspending = [row.id for row in rows if row.state is JobState.SUSPENDING]
        return Stopping(ending[:SOME], [row.id for row in rows if row.draining][:SOME], suspending[:SOME])

    def open_stages(self, jobs: Collection[UUID]) -> list[int]:
        """Return the stages of jobs that have not ended, in their order."""
        return sorted(id_ for id_, stage in self.store.stages.items() if stage.row.job_id in jobs and not stage.row.ended)

    def needs(self, jobs: Collection[UUID]) -> dict[int, list[Need]]:
        """Return what the stages of jobs need, by stage; a stage that needs none is left out."""
        found = defaultdict(list)
        for edge in self.store.edges:
            producer = self.store.stages[edge.producer].row
            if producer.job_id in jobs:
                canceled = producer.counts[TaskState.CANCELED]
                pointwise = edge.exchange is Exchange.POINTWISE
                found[edge.consumer].append(Need(producer.id, pointwise, producer.parallelism, canceled))
        return found

    def let_through(self, stages: Collection[int]) -> dict[int, list[tuple[float, int]]]:
        """Return when tasks of these stages were let through up to where."""
        return {stage: list(self.store.stages[stage].let_through) for stage in stages}

    def views(self) -> list[NodeView]:
        """Return the registered nodes."""
        return self.store.views()

    def requirements(self, job: UUID) -> tuple[str, tuple[Constraint, ...]]:
        """Return a job's pool and its constraints on nodes."""
        return self.store.jobs[job].pool, self.store.jobs[job].constraints

    def make_tasks(
        self,
        stage: StageRow,
        known: Mapping[int, StageRow],  # for the quotas of users, whom a store does not know
        *,
        draining: bool,
    ) -> int:
        """Make the tasks of a stage that runs over the results of another, and return how many."""
        source = self.store.stages[stage.id].source
        name = self.store.stages[source].row.name if source is not None else ""
        tasks = sorted((t for t in self.store.tasks.values() if t.stage == source), key=lambda task: task.index)
        items: list[object] = []
        for task in tasks:
            finished = task.state == TaskState.FINISHED
            if not finished and draining:
                continue
            found = json.loads((task.result or "null") if finished else "null")
            if not isinstance(found, list):
                raise NotItems(
                    f"stage {stage.name} runs once for each item of {name}, but task {task.index} of {name} returned "
                    f"{type(found).__name__}, not a list"
                )
            items += found
        self.store.items[stage.id] = items
        self.store.make_tasks(stage.id, len(items))
        return len(items)

    def write_avoided(self, stage: int, avoided: str) -> None:
        """Write which nodes cannot run a stage."""
        self._stage(stage).row.avoided = avoided

    def write_let_through(self, marks: Mapping[int, list[tuple[float, int]]]) -> None:
        """Write when tasks of stages were let through up to where."""
        for stage, each in marks.items():
            self.store.stages[stage] = replace(self.store.stages[stage], let_through=tuple(each))

    def write_numbers(self, reports: Collection[Report]) -> None:
        """Write which report of each node was the last."""
        now = self.store.now
        for report in reports:
            node = self.store.nodes[report.node]
            heard = now if node.active else node.heard_at
            settled = now if report.pause > node.confirmed_pause else node.settled_at
            confirmed = max(node.confirmed_pause, report.pause)
            self.store.nodes[report.node] = replace(
                node, last_report=report.number, heard_at=heard, settled_at=settled, confirmed_pause=confirmed
            )

    def write(self, changes: Changes) -> None:
        """Write what a unit of work changed; new assignments get their ids."""
        for stage in changes.stages:
            self._write_stage(stage)
        for job in changes.jobs:
            self._write_job(job)
        self.store.events += [(self.store.now, told) for told in changes.events]
        for assignment in changes.placed:
            assignment.id = self.store.next_id()
        for assignment in (*changes.assignments, *changes.placed):
            self.store.assignments[assignment.id] = replace(assignment, changed=False, startable=True)
        for id_ in changes.gone:
            del self.store.assignments[id_]
        self._write_rooms(changes.rooms)

    def _stage(self, id_: int) -> StageRecord:
        """Replace the row of a stage by a copy, which may be changed."""
        record = self.store.stages[id_]
        fresh = self.store.stages[id_] = replace(record, row=copy_of(record.row))
        return fresh

    def _write_stage(self, stage: StageRow) -> None:
        record = self.store.stages[stage.id]
        started = (record.started_at or self.store.now - stage.since / 1e6) if stage.started else None
        ended = (record.ended_at or self._last_end(stage.id)) if stage.ended else None
        self.store.stages[stage.id] = replace(record, row=copy_of(stage), started_at=started, ended_at=ended)

    def _write_job(self, job: JobRow) -> None:
        record: JobRecord = self.store.jobs[job.id]
        now = self.store.now
        began = max(record.created_at, now - job.since / 1e6)
        self.store.jobs[job.id] = replace(
            record,
            row=replace(job, error="", since=0, changed=False),
            error=record.error or job.error,
            started_at=(record.started_at or began) if job.started else None,
            suspended_seconds=0.0 if job.started and record.started_at is None else record.suspended_seconds,
            ended_at=(record.ended_at or now) if job.state in JOB_ENDS else None,
        )

    def _write_rooms(self, rooms: Mapping[int, Room]) -> None:
        for node, room in rooms.items():
            resources = dict(self.store.nodes[node].resources)
            for name, (total, *_) in resources.items():
                resources[name] = (total, room.capacity[name], room.held[name])
                if not 0 <= room.held[name] <= room.capacity[name]:
                    raise ValueError(f"node {node} would hold {room.held[name]} of {room.capacity[name]} {name}")
            self.store.nodes[node] = replace(self.store.nodes[node], resources=resources)

    def _last_end(self, stage: int) -> float:
        ends = [task.ended_at for task in self.store.tasks.values() if task.stage == stage and task.ended_at is not None]
        return max(ends, default=self.store.now)


def _at_once(value: T) -> Answer[T]:
    return lambda: value
