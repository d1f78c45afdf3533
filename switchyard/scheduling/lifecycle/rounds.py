"""One round of placement: holds for what fits now, places on lists for what fits soon, then what follows.

How many at the most is decided by the pool's algorithm (targets), where and how many of these by switchyard.scheduling.plan
and switchyard.scheduling.backlog; placing reads and writes.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from switchyard.scheduling import backlog
from switchyard.scheduling.assignment import how_many
from switchyard.scheduling.backlog import Measure, Queue
from switchyard.scheduling.cluster import Cluster, NodeView
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import colocation
from switchyard.scheduling.lifecycle.attempts import number
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.rows import AssignmentRow, Candidate, NodeRow, StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.targets import Targets
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.plan import Policy, Request, plan
from switchyard.scheduling.refusals import Reason, Refusal, Why
from switchyard.scheduling.resources import Resources, hold
from switchyard.scheduling.spec.types import Constraint

#: Seconds of work that are not divided among nodes: about as long as a message and its answer take.
BRIEF = 0.02
#: Tasks and entries of lists from which on the rest is left to the next round, so that reports need not wait for long.
TASKS, ASSIGNMENTS = 4000, 40


@dataclass(slots=True)
class Round:
    """What one round placed, in list order, what it refused, and whether another should look further at once.

    `described` are the stages placed as their agents must be told of them.
    """

    assignments: list[AssignmentRow] = field(default_factory=list)
    refused: dict[int, Refusal] = field(default_factory=dict)
    described: dict[int, Any] = field(default_factory=dict)
    more: bool = False


class Filling:
    """One round: plans holds, then fills backlogs, then lets dependents follow."""

    def __init__(
        self,
        work: UnitOfWork,
        nodes: list[NodeRow],
        lists: dict[int, dict[int, int]],
        targets: Targets,
        policy: Policy,
        memo: Memo,
        done: Round,
    ) -> None:
        self.work = work
        self.nodes = {node.id: node for node in nodes}
        #: How many tasks wait, by node and stage that stands on its list.
        self.lists = defaultdict(dict, lists)
        self.targets = targets
        self.policy = policy
        self.memo = memo
        self.measures = memo.measures
        self.done = done
        self.queues: dict[int, Queue] = {}
        self._carried = 0
        #: By demand: tasks as long as this found no list to wait on.
        self._full: dict[tuple[tuple[str, int], ...], float] = {}
        self._admitted: dict[tuple[str, tuple[Constraint, ...]], list[int]] = {}

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Place what the candidates, in their order, may have."""
        for candidate in candidates:
            self.work.stages[candidate.stage.id] = candidate.stage
        self._read_queues()
        self._leave_reserved()
        together = self._keep_together(candidates)
        self._grant(candidates[together:])
        self._leave_reserved()
        for candidate in candidates[together:]:
            if self.done.more:
                break
            if candidate.stage.id in self.done.refused and not candidate.stage.gang:
                self._queue(candidate)
        for candidate in candidates:
            self._explain_target(candidate.stage)
        whole = [candidate for candidate in candidates if not candidate.stage.unplaced]
        placed = {candidate.stage.job_id for candidate in whole if not candidate.alone}
        self.memo.followed = colocation.follow(self, placed | self.memo.followed)
        self.done.more = self.done.more or bool(self.memo.followed)

    @property
    def spare(self) -> bool:
        """Say whether some node still has a free slot."""
        return any(self.work.rooms[node].free.get("cpus", 0) >= self.nodes[node].slot_cpus for node in self.queues)

    def add(
        self,
        node: int,
        stage: StageRow,
        count: int,
        demand: dict[str, int],
        held: int,
        after: list[list[int]],
    ) -> None:
        """Put the lowest unplaced tasks of a stage on a node's list, the first `held` of them with a hold."""
        self.targets.take(stage.job_id, count)
        source = stage.unplaced if after else stage.ready
        indexes = source.take(count)[0]
        stage.move(TaskState.CREATED, TaskState.SCHEDULED, indexes)
        row = self.nodes[node]
        self.lists[node][stage.id] = self.waiting(node, stage.id) + count - held
        for attempt, members in number(self.work.records, stage, indexes):
            row.last_entry += 1
            granted = members.take(held)[0]
            held -= len(granted)
            self.done.assignments.append(
                AssignmentRow(
                    0,
                    node,
                    row.session,
                    row.last_entry,
                    stage.id,
                    attempt,
                    demand,
                    after,
                    members,
                    granted,
                    IndexSet(),
                    pause=row.pause_epoch,
                )
            )
            self.done.assignments[-1].changed = True
            self.work.lists[node].append(self.done.assignments[-1])
            self.work.rooms[node].hold(demand, len(granted))
        self._carried += count
        self.done.more = self._carried >= TASKS or len(self.done.assignments) >= ASSIGNMENTS

    def waiting(self, node: int, stage: int) -> int:
        """Count the entries of a stage that wait on a node's list."""
        return self.lists[node].get(stage, 0)

    def _read_queues(self) -> None:
        means: dict[int, float | None] = {}
        for node in self.nodes.values():
            if node.unavailable:
                continue
            self.queues[node.id] = queue = Queue(node.id, self.work.rooms[node.id].total)
            for stage, waiting in self.lists[node.id].items():
                if stage not in means:
                    means[stage] = self.measures.of_stage(stage).mean
                if waiting:
                    queue.add(waiting, means[stage])

    def _leave_reserved(self) -> None:
        """Let nothing wait on nodes that are kept free for a big task."""
        reserved = {node for reservation in self.memo.reservations for node in reservation.nodes}
        self.queues = {node: queue for node, queue in self.queues.items() if node not in reserved}

    def _keep_together(self, candidates: Sequence[Candidate]) -> int:
        """Place stages from the front that take less time than a message on one node each; return how many.

        Spread out they would end no sooner, and what needs all of a stage can only follow it on one node's list.
        """
        for position, candidate in enumerate(candidates):
            stage = candidate.stage
            mean = self.measures.of_kind(stage.kind, stage.id).mean
            room = {node: how_many(stage.demand, self.work.rooms[node].free) for node in self._admitting(candidate)}
            brief = mean is not None and mean * len(stage.ready) <= BRIEF
            if stage.gang or not brief or not any(room.values()) or self.targets.left(stage.job_id) < len(stage.ready):
                return position
            node = max(room, key=lambda node: room[node])
            waiting = max(0, len(stage.ready) - room[node])
            self.add(node, stage, len(stage.ready), stage.demand, room[node], [])
            self.queues[node].add(waiting, mean)
        return len(candidates)

    def _grant(self, candidates: Sequence[Candidate]) -> None:
        views = [_view(node, self.work) for node in self.nodes.values()]
        requests = [_request(candidate, turn) for turn, candidate in enumerate(candidates)]
        planned = plan(
            Cluster(views),
            requests,
            self.policy,
            now=self.work.now,
            seed=self.memo.next_seed(),
            reserved=self.memo.reservations,
            granted=self.targets.of(candidates),
        )
        self.memo.reservations = planned.reservations
        for placement in planned.placements:
            stage = self.work.stages[placement.stage]
            demand = dict(hold(stage.demand, placement.devices))
            self.add(placement.node, stage, placement.count, demand, placement.count, [])
        self.done.refused = {id_: _explained(refusal, self.work.stages[id_]) for id_, refusal in planned.refusals.items()}

    def _queue(self, candidate: Candidate) -> None:
        """Let ready tasks that found no room wait on the lists of nodes where they will fit soon."""
        stage = candidate.stage
        if stage.id in self.measures.returned or not self.targets.left(stage.job_id):
            return
        measure = self.measures.of_kind(stage.kind, stage.id)
        kind, mean = tuple(sorted(stage.demand.items())), measure.mean or 0.0
        if mean >= self._full.get(kind, float("inf")):
            return
        known = bool(measure.mean)
        queues = [self.queues[node] for node in self._admitting(candidate)]
        queues.sort(key=lambda queue: queue.entries if known else queue.unmeasured)
        lists = ((queue, self._allowance(queue, stage, measure), queue.slots(stage.demand)) for queue in queues)
        shares = backlog.spread(min(len(stage.ready), TASKS, self.targets.left(stage.job_id)), lists)
        if not shares:
            self._full[kind] = mean
        for queue, count in shares:
            self.add(queue.node, stage, count, stage.demand, 0, [])
            queue.add(count, measure.mean)

    def _explain_target(self, stage: StageRow) -> None:
        """Say that more ready tasks of a stage are not granted, if that is so."""
        if granted := self.targets.keeping(stage):
            reason = Reason(Why.TARGET, 0, str(granted))
            refusal = self.done.refused.get(stage.id, Refusal(()))
            self.done.refused[stage.id] = replace(refusal, reasons=(*refusal.reasons, reason))

    def _allowance(self, queue: Queue, stage: StageRow, measure: Measure) -> int:
        """Return how many more tasks of a stage may wait on a list; what is unmeasured counts as one stage."""
        own = self.waiting(queue.node, stage.id) if measure.mean else queue.unmeasured
        return backlog.allowance(queue, stage.demand, measure, own)

    def _admitting(self, candidate: Candidate) -> list[int]:
        """Return the nodes on whose lists tasks may wait as far as pool and constraints go."""
        if "gpus" in candidate.stage.demand:
            return []
        alike = (candidate.pool, candidate.constraints)
        if alike not in self._admitted:
            self._admitted[alike] = [
                node.id
                for node in self.nodes.values()
                if node.pool == candidate.pool and all(rule.admits(node.labels) for rule in candidate.constraints)
            ]
        excluded = candidate.stage.excluded
        return [node for node in self._admitted[alike] if node in self.queues and node not in excluded]


@lru_cache(maxsize=4096)
def _resources(amounts: tuple[tuple[str, int], ...]) -> Resources:
    """Return amounts of which a round sees the same few again and again."""
    return Resources(amounts)


def _view(node: NodeRow, work: UnitOfWork) -> NodeView:
    room = work.rooms[node.id]
    return NodeView(
        id=node.id,
        name=node.name,
        pool=node.pool,
        total=_resources(tuple(room.total.items())),
        free=_resources(tuple(room.free.items())),
        labels=node.labels,
        unavailable=node.unavailable,
        slot_cpus=node.slot_cpus,
    )


def _explained(refusal: Refusal, stage: StageRow) -> Refusal:
    """Say why nodes are excluded."""
    if not stage.avoided:
        return refusal
    why = "; ".join(sorted(set(json.loads(stage.avoided).values())))
    return replace(refusal, reasons=tuple(replace(r, detail=why) if r.why is Why.EXCLUDED else r for r in refusal.reasons))


def _request(candidate: Candidate, turn: int) -> Request:
    return Request(
        stage=candidate.stage.id,
        job=candidate.number,
        pool=candidate.pool,
        count=len(candidate.stage.ready) if candidate.stage.gang else min(len(candidate.stage.ready), TASKS),
        demand=_resources(tuple(candidate.stage.demand.items())),
        waiting_since=candidate.waiting_since,
        turn=(turn,),
        constraints=candidate.constraints,
        gang_size=len(candidate.stage.ready) if candidate.stage.gang else 0,
        excluded=candidate.stage.excluded,
    )
