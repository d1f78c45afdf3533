"""Dependents placed together with the tasks they wait for, on the same node, so that no round trip lies between.

A stage follows when all unfinished tasks of every stage it needs stand on one node's list and are short. Its entries
say what they come `after`; the agent starts them when that has finished, and hands the results over itself.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from switchyard.scheduling import backlog
from switchyard.scheduling.backlog import Queue
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.targets import Targets
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.spec.types import Exchange


class Lists(Protocol):
    """The nodes' lists as a round fills them."""

    work: UnitOfWork
    lists: defaultdict[int, dict[int, int]]
    queues: dict[int, Queue]
    targets: Targets
    measures: Measures

    def add(
        self,
        node: int,
        stage: StageRow,
        count: int,
        demand: dict[str, int],
        held: int,
        after: list[list[int]],
    ) -> None:
        """Put tasks of a stage on a node's list."""

    def waiting(self, node: int, stage: int) -> int:
        """Count the entries of a stage that wait on a node's list."""


#: Stages that one round reads, in all and of one job, and that it lets follow: an agent can begin with these while the
#: next are placed.
STAGES_A_ROUND, STAGES_A_JOB, FOLLOWERS = 1000, 110, 100


def follow(lists: Lists, jobs: set[UUID]) -> set[UUID]:
    """Place dependents of stages that are wholly on one node's list, transitively; return the jobs that have more."""
    work, followed = lists.work, 0
    left: set[UUID] = set()
    stages, needs = _unready(lists, jobs) if jobs else ([], {})
    if not stages:
        return left
    homes = _homes(lists)
    for stage in stages:
        work.stages.setdefault(stage.id, stage)
    for stage in stages:
        if stage.id in lists.measures.impatient:
            continue
        node = _common_home(lists, needs[stage.id], homes)
        if node not in lists.queues or node in stage.excluded:
            continue
        if followed == FOLLOWERS:
            left.add(stage.job_id)
            break
        waiting = len(stage.unplaced)
        if _follow_one(lists, stage, needs[stage.id], node):
            homes[stage.id] = {node}
        # Where the list is full nothing follows, and another round at once would change nothing.
        followed += len(stage.unplaced) < waiting
    return left


def _follow_one(lists: Lists, stage: StageRow, producers: list[tuple[int, str]], node: int) -> bool:
    """Put what list and target allow of one stage after its producers; say whether it is now wholly placed."""
    stages, queue = lists.work.stages, lists.queues[node]
    measure = lists.measures.of_kind(stage.kind, stage.id)
    allowed = backlog.allowance(queue, stage.demand, measure, lists.waiting(node, stage.id))
    count = min(len(stage.unplaced), allowed, lists.targets.left(stage.job_id))
    if count:
        after = [[id_, 0, stages[id_].parallelism] for id_, _ in producers if not stages[id_].ended]
        lists.add(node, stage, count, stage.demand, 0, after)
        queue.add(count, measure.mean)
    return not stage.unplaced


def _unready(lists: Lists, jobs: Iterable[UUID]) -> tuple[list[StageRow], dict[int, list[tuple[int, str]]]]:
    """Read the jobs' next stages that wait for others, producers before consumers, and what all stages need."""
    records, asked = lists.work.records, list(jobs)
    with records.together():
        stages, edges = records.ask_unready(asked, STAGES_A_JOB, STAGES_A_ROUND), records.ask_edges(asked)
        needs = defaultdict(list)
        for consumer, producer, exchange in edges():
            needs[consumer].append((producer, exchange))
        return stages(), needs


def _homes(lists: Lists) -> dict[int, set[int]]:
    """Return on which nodes' lists each stage stands."""
    homes = defaultdict(set)
    for node, stages in lists.lists.items():
        for stage in stages:
            homes[stage].add(node)
    return homes


def _common_home(lists: Lists, producers: list[tuple[int, str]], homes: dict[int, set[int]]) -> int | None:
    """Return the one node on whose list all that is unfinished of these stages stands, if there is one.

    What needs files waits until they are stored: it is placed then.
    """
    nodes: set[int] = set()
    for id_, exchange in producers:
        stage = lists.work.stages.get(id_) or _read_producer(lists.work, id_)
        if stage.ended:
            continue
        if (
            stage.unplaced
            or stage.gang
            or stage.gives_files
            or not stage.parallelism
            or exchange != Exchange.ALL
            or not backlog.is_short(lists.measures.of_kind(stage.kind, id_).mean)
        ):
            return None
        nodes |= homes.get(id_, set())
    return nodes.pop() if len(nodes) == 1 else None


def _read_producer(work: UnitOfWork, id_: int) -> StageRow:
    """Read a stage that is wholly placed already."""
    work.stages[id_] = stage = work.records.stage(id_)
    return stage
