"""What a round of placing asks of a store in memory, and writes there."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import inf
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Resource
from switchyard.scheduling.lifecycle.records import Answer
from switchyard.scheduling.lifecycle.rows import (
    AssignmentRow,
    Candidate,
    Front,
    NodeRow,
    Running,
    Share,
    StageRow,
    Switches,
)
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, LISTED, TaskState
from switchyard.scheduling.resources import most_of_each
from switchyard.simulation.memory.rows import JobRecord, StageRecord
from switchyard.simulation.memory.store import Store, copy_of
from switchyard.simulation.memory.tasks import BLANK


class Rounds:
    """What rounds need of a store."""

    store: Store

    def ask_switches(self) -> Answer[Switches]:
        """Return what operators have set for the whole cluster."""
        switches = Switches(self.store.paused, self.store.strategy, self.store.allocation, dict(self.store.allocation_of))
        return lambda: switches

    def ask_nodes(self) -> Answer[list[NodeRow]]:
        """Return the registered nodes in the order of their ids."""
        nodes = [
            NodeRow(
                id=node.id,
                name=node.name,
                pool=node.pool,
                labels=node.labels,
                slot_cpus=node.slot_cpus,
                session=node.session,
                last_entry=node.last_entry,
                pause_epoch=node.pause_epoch,
                unavailable=node.unavailable or ("silent" if node.silent_since is not None else None),
            )
            for node in sorted(self.store.nodes.values(), key=lambda node: node.id)
            if node.session
        ]
        return lambda: nodes

    def ask_resources(self) -> Answer[list[Resource]]:
        """Return what all nodes have."""
        found = [Resource(n.id, name, *each) for n in self.store.nodes.values() for name, each in n.resources.items()]
        return lambda: found

    def ask_waiting(self) -> Answer[dict[int, dict[int, int]]]:
        """Return how many tasks wait on lists, by node and stage; of stages that stand there with none waiting, 0."""
        lists: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for assignment in self.store.assignments.values():
            lists[assignment.node][assignment.stage] += assignment.waiting
        return lambda: {node: dict(stages) for node, stages in lists.items()}

    def candidates(
        self,
        jobs: Collection[UUID] | None,
        limit: int,
        *,
        fronts: Sequence[Front],
        turns: Mapping[UUID, int],
        without: Collection[UUID],
    ) -> list[Candidate]:
        """Return stages with unplaced tasks that need no other any more, the first `limit` of each front."""
        found = [
            self._candidate(record)
            for record in self.store.stages.values()
            if not record.row.ended and not record.row.open_needs and record.row.unplaced
            if (jobs is None or record.row.job_id in jobs) and record.row.job_id not in without
            if self._may_run(record.row.job_id) and not self.store.types[self.store.jobs[record.row.job_id].kind].paused
        ]
        pools = {front.pool for front in fronts}
        chosen = []
        for front in fronts:
            sign = -1 if front.newest_first else 1

            def turn(each: Candidate, sign: int = sign) -> tuple[float, ...]:
                place = each.priority, sign * each.number, self.store.stages[each.stage.id].position
                return turns.get(each.stage.job_id, inf), *place

            of_pool = [each for each in found if (each.pool if each.pool in pools else None) == front.pool]
            chosen += sorted(of_pool, key=turn)[:limit]
        return sorted(chosen, key=lambda each: (each.number, self.store.stages[each.stage.id].position))

    def shares(self, pools: Collection[str]) -> list[Share]:
        """Return the jobs of pools that have not ended."""
        jobs = [job for job in self.store.jobs.values() if job.ended_at is None and job.pool in pools]
        found = [self._share(job) for job in jobs]
        return sorted((share for share in found if share is not None), key=lambda share: share.number)

    def live_jobs(self, kinds: Collection[int]) -> list[Running]:
        """Return the jobs of types that have not ended."""
        jobs = [job for job in self.store.jobs.values() if job.ended_at is None]
        found = [Running(job.row.id, self._kind(job.kind), job.row.number, job.row.started) for job in jobs]
        return [each for each in found if each.kind in kinds]

    def ask_unready(self, jobs: Collection[UUID], most_of_one: int, most: int) -> Answer[list[StageRow]]:
        """Return the next stages of jobs that need others, producers first, without gangs and what has a buffer."""
        found = []
        for job in sorted(jobs):
            records = sorted((s for s in self.store.stages.values() if s.row.job_id == job), key=lambda s: s.position)
            rows = [record.row for record in records if self._may_run(job)]
            unready = [r for r in rows if not r.ended and r.open_needs and r.unplaced and not r.buffered and not r.gang]
            found += unready[:most_of_one]
        copies = [copy_of(row) for row in found[:most]]
        return lambda: copies

    def ask_edges(self, jobs: Collection[UUID]) -> Answer[list[tuple[int, int, str]]]:
        """Return the edges of jobs as (consumer, producer, exchange)."""
        edges = [e for e in self.store.edges if self.store.stages[e.consumer].row.job_id in jobs]
        return lambda: [(edge.consumer, edge.producer, str(edge.exchange)) for edge in edges]

    def stage(self, id_: int) -> StageRow:
        """Return a stage."""
        return copy_of(self.store.stages[id_].row)

    def attempts(self, stage: int, indexes: IndexSet) -> list[tuple[int, int]]:
        """Return the attempt numbers of tasks, as (index, attempt)."""
        return [(index, self.store.tasks[stage, index].attempt) for index in indexes]

    def archive(self, stage: int, indexes: IndexSet) -> None:
        """Keep the last attempts of CREATED tasks that have an end, and give these tasks the next number."""
        for index in indexes:
            task = self.store.tasks[stage, index]
            if task.state == TaskState.CREATED and task.ended_at is not None:
                self.store.attempts.append(replace(task, state=task.state_when_over))
                self.store.tasks[stage, index] = replace(task, attempt=task.attempt + 1, not_before=None, **BLANK)

    def schedule(self, assignments: Sequence[AssignmentRow]) -> None:
        """Move CREATED tasks of new assignments to SCHEDULED, on their nodes."""
        for assignment in assignments:
            for index in assignment.listed:
                task = self.store.tasks[assignment.stage, index]
                if task.state == TaskState.CREATED:
                    placed = {"state": TaskState.SCHEDULED, "node": assignment.node, "scheduled_at": self.store.now}
                    self.store.tasks[assignment.stage, index] = replace(task, **placed)  # type: ignore[arg-type]

    def write_entries(self, nodes: Sequence[NodeRow]) -> None:
        """Write the numbers of the last entries of nodes."""
        for node in nodes:
            self.store.nodes[node.id] = replace(self.store.nodes[node.id], last_entry=node.last_entry)

    def write_refusals(self, refusals: Sequence[tuple[int, str | None]]) -> None:
        """Write why stages wait, as JSON texts; None for a stage that waits no more."""
        for stage, refusal in refusals:
            record = self.store.stages[stage]
            since = None if refusal is None else record.refused_at or self.store.now
            self.store.stages[stage] = replace(record, refusal=refusal, refused_at=since)

    def _may_run(self, job: UUID) -> bool:
        record = self.store.jobs[job]
        return record.ended_at is None and record.row.state in JOB_STARTABLE and not record.held_reason

    def _kind(self, kind: tuple[str, str]) -> int:
        return list(self.store.types).index(kind)

    def _share(self, job: JobRecord) -> Share | None:
        stages = [s.row for s in self.store.stages.values() if s.row.job_id == job.row.id and not s.row.ended]
        if not stages:
            return None
        kind = self.store.types[job.kind]
        listed = sum(stage.counts[state] for stage in stages for state in LISTED)
        return Share(
            job.row.id,
            job.row.number,
            job.pool,
            job.priority,
            self._kind(job.kind),
            kind.max_running,
            self._may_run(job.row.id) and not kind.paused,
            listed,
            listed + sum(stage.counts[TaskState.CREATED] for stage in stages),
            max(stage.parallelism if stage.gang and not stage.open_needs else 1 for stage in stages),
            most_of_each(stage.demand for stage in stages),
        )

    def _candidate(self, record: StageRecord) -> Candidate:
        job = self.store.jobs[record.row.job_id]
        return Candidate(
            copy_of(record.row),
            job.pool,
            job.priority,
            job.row.number,
            job.constraints,
            record.refused_at or self.store.now,
            job.row.stages_total == 1,
            self._kind(job.kind),
            self.store.types[job.kind].max_running,
        )
