"""Targets: in which order the jobs of each pool are served, and how many tasks each may have, by the pool's algorithm."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from switchyard.scheduling.allocation.base import ALGORITHMS, Order
from switchyard.scheduling.allocation.request import JobRequest
from switchyard.scheduling.lifecycle import candidates
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import Candidate, Front, NodeRow, Room, Share, StageRow, Switches
from switchyard.scheduling.resources import GPUS, Resources, is_device

#: More tasks than any job has, and the turn of jobs after all that may have more tasks.
ANY, LAST = 2**31, 2**30


class NotGranted(Exception):
    """A round placed more tasks of a job than its pool's algorithm grants it."""


@dataclass(slots=True)
class Granted:
    """What an algorithm grants a job: the target, and the tasks that it has on nodes."""

    algorithm: str
    target: int
    listed: int

    def __str__(self) -> str:
        tasks = "1 task" if self.target == 1 else f"{self.target:,} tasks"
        return f"{self.algorithm} grants its job {tasks}, and it has {self.listed:,}"


class Targets:
    """The targets of one round for the jobs of `pools`; jobs of other pools may have any number of tasks.

    `turns` say in which order jobs are served, from 0 in each pool; those that may have no more come last.
    """

    def __init__(self, pools: Collection[str], granted: Mapping[UUID, Granted], turns: Mapping[UUID, int]) -> None:
        self.turns = turns
        self._pools = pools
        self._granted = granted

    def left(self, job: UUID) -> int:
        """Return how many more tasks of a job may be placed."""
        granted = self._granted.get(job)
        return max(0, granted.target - granted.listed) if granted else ANY

    def take(self, job: UUID, count: int) -> None:
        """Count tasks that are placed."""
        if granted := self._granted.get(job):
            granted.listed += count
            if granted.listed > granted.target:
                raise NotGranted(f"{granted}")

    def know(self, candidate: Candidate) -> bool:
        """Return whether the algorithm of its pool was asked about a candidate, if it may limit jobs."""
        return candidate.pool not in self._pools or candidate.stage.job_id in self._granted

    def exhausted(self, job: UUID) -> Granted | None:
        """Return the target of a job that may have no more tasks."""
        return None if self.left(job) else self._granted.get(job)

    def keeping(self, stage: StageRow) -> Granted | None:
        """Return the target that keeps ready tasks of a stage from being placed, if one does."""
        granted = self._granted.get(stage.job_id)
        together = stage.parallelism if stage.gang else 1
        return granted if granted and stage.startable and self.left(stage.job_id) < together else None

    def of(self, chosen: Iterable[Candidate]) -> dict[int, int]:
        """Return how many more tasks may be placed of those of these jobs, by number, that have a target."""
        return {each.number: self.left(each.stage.job_id) for each in chosen if each.stage.job_id in self._granted}


NO_TARGETS = Targets((), {}, {})


def fronts(nodes: Iterable[NodeRow], switches: Switches) -> tuple[Front, ...]:
    """Return what rounds look at first: with nodes in more than one pool, stages of each."""
    pools = sorted({node.pool for node in nodes})
    if len(pools) < 2:
        return (Front(newest_first=_newest_first(switches.algorithm(pools[0]) if pools else switches.allocation)),)
    return (*(Front(pool, _newest_first(switches.algorithm(pool))) for pool in pools), Front())


def limiting_pools(nodes: Iterable[NodeRow], switches: Switches) -> list[str]:
    """Return the pools with nodes whose algorithm may grant jobs less than they ask for."""
    return sorted({node.pool for node in nodes if ALGORITHMS[switches.algorithm(node.pool)].order is None})


def limited(records: Records, pools: Sequence[str], switches: Switches, capacities: Mapping[str, Resources]) -> Targets:
    """Let the algorithms of these pools grant all their jobs a target."""
    granted: dict[UUID, Granted] = {}
    turns: dict[UUID, int] = {}
    shares = _shares(records, pools)
    for pool in pools:
        name = switches.algorithm(pool)
        jobs = {share.number: share for share in shares if share.pool == pool}
        requests = [_request(share) for share in jobs.values()]
        answer = ALGORITHMS[name].allocate([each for each in requests if each.at_most], capacities[pool])
        targets = {target.job: target.count for target in answer}
        for turn, number in enumerate([*targets, *sorted(jobs.keys() - targets)]):
            job, target = jobs[number], targets.get(number, 0)
            granted[job.id] = Granted(name, target, job.listed)
            turns[job.id] = turn if target > job.listed else LAST + turn
    return Targets(pools, granted, turns)


def in_turn(chosen: Iterable[Candidate], targets: Targets, switches: Switches) -> list[Candidate]:
    """Return candidates in the order in which the algorithms of their pools serve their jobs."""
    chosen = [candidate for candidate in chosen if targets.know(candidate)]
    turns = dict(targets.turns)
    for pool, jobs in _by_pool(chosen).items():
        algorithm = ALGORITHMS[switches.algorithm(pool)]
        if algorithm.order:
            requests = [_front_request(number, stages) for number, stages in jobs.items()]
            answer = algorithm.allocate(requests, Resources())
            turns |= {jobs[target.job][0].stage.job_id: turn for turn, target in enumerate(answer)}
    return sorted(chosen, key=lambda candidate: turns.get(candidate.stage.job_id, LAST))


def capacities(nodes: Iterable[NodeRow], rooms: Mapping[int, Room]) -> dict[str, Resources]:
    """Return what the nodes of each pool have that take work; GPUs of all nodes together."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for node in nodes:
        amounts = found[node.pool]
        for name, total in rooms[node.id].total.items() if node.unavailable is None else ():
            amounts[GPUS if is_device(name) else name] += total
    return {pool: Resources(amounts) for pool, amounts in found.items()}


def _newest_first(algorithm: str) -> bool:
    return ALGORITHMS[algorithm].order is Order.NEWEST_FIRST


def _shares(records: Records, pools: Sequence[str]) -> list[Share]:
    """Return the jobs of pools; of a job that may not begin yet, no more may be placed."""
    shares = records.shares(pools)
    waiting = candidates.waiting_for_type(records, {share.kind: share.most for share in shares})
    return [replace(share, startable=share.startable and share.id not in waiting) for share in shares]


def _request(share: Share) -> JobRequest:
    most = share.open if share.startable else share.listed
    return JobRequest(
        job=share.number,
        submitted=share.number,
        priority=share.priority,
        running=share.listed,
        at_least=min(share.least, most),
        at_most=most,
        demand=Resources(share.demand),
    )


def _by_pool(chosen: Iterable[Candidate]) -> dict[str, dict[int, list[Candidate]]]:
    pools: dict[str, dict[int, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for candidate in chosen:
        pools[candidate.pool][candidate.number].append(candidate)
    return pools


def _front_request(number: int, stages: Sequence[Candidate]) -> JobRequest:
    most = sum(len(each.stage.unplaced) for each in stages)
    return JobRequest(job=number, submitted=number, priority=stages[0].priority, at_most=most)
