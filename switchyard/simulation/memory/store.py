"""The tables in memory, and what people and agents do to them: submit, cancel, drain, register."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import submission
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.rows import AssignmentRow, JobRow, StageRow
from switchyard.scheduling.lifecycle.states import Intent, JobState
from switchyard.scheduling.resources import Resources
from switchyard.scheduling.spec.parsing import to_json
from switchyard.scheduling.spec.types import Exchange, ForeachFrom, JobSpec, StageSpec
from switchyard.simulation.memory.rows import (
    CheckpointRecord,
    EdgeRecord,
    JobRecord,
    NodeRecord,
    OperationRecord,
    SavedRecord,
    StageRecord,
    TaskRecord,
    TypeRecord,
)

_TABLES = (
    *("jobs", "types", "stages", "tasks", "items", "assignments", "nodes", "operations"),
    *("checkpoints", "saved_states"),
)


class Store:
    """Tables by key; `now` is the time, which whoever drives the store sets."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.epoch = 0
        self.paused = False
        self.strategy, self.allocation = "bias", "fifo"
        self.allocation_of: dict[str, str] = {}
        self.jobs: dict[UUID, JobRecord] = {}
        self.types: dict[tuple[str, str], TypeRecord] = {}
        self.stages: dict[int, StageRecord] = {}
        self.edges: list[EdgeRecord] = []
        self.tasks: dict[tuple[int, int], TaskRecord] = {}
        self.attempts: list[TaskRecord] = []
        self.items: dict[int, list[object]] = {}
        self.assignments: dict[int, AssignmentRow] = {}
        self.nodes: dict[int, NodeRecord] = {}
        self.operations: dict[UUID, OperationRecord] = {}
        self.checkpoints: dict[int, CheckpointRecord] = {}
        self.saved_states: dict[int, SavedRecord] = {}
        self.ends: Ends = Counter()
        self.events: list[tuple[float, Told]] = []
        self._last_id = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written meanwhile, or nothing of it where an error is raised."""
        tables = {name: dict(getattr(self, name)) for name in _TABLES}
        attempts, events = len(self.attempts), len(self.events)
        try:
            yield
        except BaseException:
            for name, table in tables.items():
                setattr(self, name, table)
            del self.attempts[attempts:], self.events[events:]
            raise

    def next_id(self) -> int:
        """Return a number that no row has."""
        self._last_id += 1
        return self._last_id

    def take_lease(self) -> int:
        """Let another leader lead, and return its epoch."""
        self.epoch += 1
        return self.epoch

    def submit(self, id_: UUID, number: int, spec: JobSpec, stage_ids: Sequence[int] = ()) -> None:
        """Store a job with its stages and tasks."""
        stages = list(zip(stage_ids or [self.next_id() for _ in spec.stages], spec.in_order(), strict=True))
        ids = {stage.name: stage_id for stage_id, stage in stages}
        kind = (spec.type.name, spec.type.version or "1") if spec.type else ("job", "1")
        retry = json.dumps(to_json(spec)["retry"])
        row = JobRow(id_, JobState.CREATED, len(stages), 0, 0, spec.max_failures, False, retry, number, Intent.RUN)
        self.types.setdefault(kind, TypeRecord())
        self.jobs[id_] = JobRecord(
            row,
            spec.pool,
            spec.priority,
            spec.constraints,
            kind,
            self.now,
            disconnect_grace=spec.disconnect_grace,
            timeouts=spec.timeouts,
            checkpoint=spec.checkpoint,
        )
        needs = [need for _, stage in stages for need in stage.upstreams]
        pointwise = {need.stage for need in needs if need.exchange is Exchange.POINTWISE}
        buffers = submission.smallest_buffers(needs)
        refused = submission.refused(spec, self.views())
        for position, (stage_id, stage) in enumerate(stages):
            stage_row = _stage_row(stage_id, id_, stage, buffers)
            stage_row.feeds_pointwise = stage.name in pointwise
            source = ids[stage.foreach.stage] if isinstance(stage.foreach, ForeachFrom) else None
            record = StageRecord(stage_row, position, source)
            if position in refused:
                record = replace(record, refusal=json.dumps(refused[position].to_dict()), refused_at=self.now)
            self.stages[stage_id] = record
            self.make_tasks(stage_id, stage.tasks or 0)
            self.edges += [EdgeRecord(ids[n.stage], stage_id, n.exchange, n.buffer) for n in stage.upstreams]

    def make_tasks(self, stage: int, count: int) -> None:
        """Make the tasks of a stage."""
        self.tasks |= {(stage, index): TaskRecord(stage, index) for index in range(count)}

    def views(self) -> list[NodeView]:
        """Return the registered nodes."""
        return [
            NodeView(
                id=node.id,
                name=node.name,
                pool=node.pool,
                total=Resources({name: total for name, (total, _, _) in node.resources.items()}),
                free=Resources({name: total - held for name, (total, _, held) in node.resources.items()}),
                labels=node.labels,
                unavailable=node.unavailable,
            )
            for node in sorted(self.nodes.values(), key=lambda node: node.id)
            if node.session
        ]

    def register(self, node: int, name: str, session: str, totals: Mapping[str, int], *, pool: str = "default") -> None:
        """Give the agent of a node a session; what the node held before stays held until the leader gives it up."""
        known = self.nodes.get(node) or NodeRecord(node, name)
        before = known.resources
        resources = {}
        for resource in {*before, *totals}:
            held = before.get(resource, (0, 0, 0))[2]
            total = totals.get(resource, 0)
            resources[resource] = (total, max(total, held), held)
        self.nodes[node] = replace(
            known,
            pool=pool,
            session=session,
            left=False,
            last_report=0,
            heard_at=self.now,
            silent_since=None,
            resources=resources,
        )


def _stage_row(id_: int, job: UUID, stage: StageSpec, buffers: Mapping[str, int]) -> StageRow:
    count = stage.tasks or 0
    return StageRow(
        id=id_,
        job_id=job,
        parallelism=count,
        open_needs=submission.open_needs(stage),
        feeds_pointwise=False,
        unplaced=IndexSet.span(0, count),
        blocked=submission.blocked_at_first(stage, buffers.get(stage.name)),
        delayed=IndexSet(),
        spent=IndexSet(),
        done=IndexSet(),
        counts=submission.counts_at_first(count),
        run_seconds=0.0,
        demand=dict(stage.resources),
        started=False,
        ended=False,
        call=stage.python or json.dumps(stage.command),
        name=stage.name,
        next_due=None,
        gang=stage.gang,
        buffered=stage.name in buffers or any(need.buffer for need in stage.needs),
        avoided=None,
        gives_files=bool(stage.outputs),
    )


def copy_of(stage: StageRow) -> StageRow:
    """Return a copy of a row that may be changed."""
    return replace(stage, counts=list(stage.counts), since=0, changed=False)
