"""The invariants of ARCHITECTURE.md, over the records in memory: plain functions, each of which yields what breaks it.

I4, I5 on machines and the order of attempts (I3) are held by truth; I11 by database.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Set
from uuid import UUID

from switchyard.scheduling import dag
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import (
    JOB_ENDS,
    JOB_TRANSITIONS,
    LISTED,
    TASK_ENDS,
    TASK_PLACES,
    TASK_TRANSITIONS,
    JobState,
    TaskState,
)
from switchyard.scheduling.spec.types import Exchange
from switchyard.simulation.database import Database
from switchyard.simulation.memory.rows import TaskRecord
from switchyard.simulation.memory.store import Store
from switchyard.simulation.truth import Execution

#: Seconds by which times may differ that are the same.
JUST = 1e-6


def listed_once(store: Store) -> Iterator[str]:
    """I2: a listed task stands on one list, and a list has listed tasks alone."""
    standing: Counter[tuple[int, int]] = Counter()
    for row in store.assignments.values():
        for index in row.listed:
            task = store.tasks[row.stage, index]
            standing[row.stage, index] += 1
            if task.state not in LISTED or (task.node, task.attempt) != (row.node, row.attempt):
                yield f"{task} stands on the list of node {row.node} at attempt {row.attempt}"
    for key, task in store.tasks.items():
        if (task.state in LISTED) != (standing[key] == 1):
            yield f"{task} stands on {standing[key]} lists"


def counted(store: Store) -> Iterator[str]:
    """I2 and I3: a stage knows its tasks by state, and which are unplaced."""
    states: dict[int, list[int]] = defaultdict(lambda: [0] * TASK_PLACES)
    unplaced: dict[int, list[int]] = defaultdict(list)
    for task in store.tasks.values():
        states[task.stage][task.state] += 1
        if task.state == TaskState.CREATED:
            unplaced[task.stage].append(task.index)
    for id_, stage in store.stages.items():
        if stage.row.counts != states[id_]:
            yield f"stage {id_} counts {stage.row.counts}, its tasks are {states[id_]}"
        if stage.row.unplaced != IndexSet.from_indexes(unplaced[id_]):
            yield f"stage {id_} says that {stage.row.unplaced} are unplaced, it is {unplaced[id_]}"


def timed(store: Store) -> Iterator[str]:
    """I3: what a state says of times is so."""
    for task in store.tasks.values():
        if task.state in TASK_ENDS and task.ended_at is None:
            yield f"{task} has no end"
        if task.state in LISTED and (task.ended_at is not None or task.scheduled_at is None):
            yield f"{task} is on a list, and its times are those of another state"


def held(store: Store) -> Iterator[str]:
    """I5 and I6: what a node holds is the sum of its lists, and within what it may hold; holds are of listed tasks."""
    sums: Counter[tuple[int, str]] = Counter()
    for row in store.assignments.values():
        if (row.held - row.listed) or (row.started - row.listed) or not row.listed:
            yield f"{row} holds or has begun what it does not list"
        for name, amount in row.demand.items():
            sums[row.node, name] += amount * len(row.held)
    for node in store.nodes.values():
        for name, (_, capacity, amount) in node.resources.items():
            if amount != sums[node.id, name]:
                yield f"node {node.id} holds {amount} {name}, its lists {sums[node.id, name]}"
            if amount > capacity:
                yield f"node {node.id} holds {amount} of {capacity} {name}"


def fed(store: Store) -> Iterator[str]:
    """I7: a task starts only when its inputs allow."""
    for edge in store.edges:
        consumer, producer = store.stages[edge.consumer].row, store.stages[edge.producer].row
        if edge.exchange is Exchange.ALL and not producer.ended:
            for index in range(consumer.parallelism):
                task = store.tasks[consumer.id, index]
                if task.started_at is not None and task.state != TaskState.CREATED:
                    yield f"{task} has started before stage {producer.id} has ended"


def whole_gangs(store: Store) -> Iterator[str]:
    """I9: no member of a gang is to run while another waits."""
    for row in store.assignments.values():
        stage = store.stages[row.stage].row
        if stage.gang and stage.unplaced and not row.recalled and not store.jobs[stage.job_id].row.stopping:
            yield f"{row} is of a gang of which {stage.unplaced} wait"


def suspended(store: Store) -> Iterator[str]:
    """I17: nothing of a suspended job stands on a list."""
    for row in store.assignments.values():
        job = store.jobs[store.stages[row.stage].row.job_id].row
        if job.state is JobState.SUSPENDED:
            yield f"{row} is of a job that is suspended"


def ended(store: Store) -> Iterator[str]:
    """I8: a job has ended exactly when its stages have, and a stage only when its tasks have."""
    stages: dict[object, list[bool]] = defaultdict(list)
    for stage in store.stages.values():
        stages[stage.row.job_id].append(stage.row.ended)
        if stage.row.ended and stage.row.count_ended != stage.row.parallelism:
            yield f"stage {stage.row.id} has ended with tasks {stage.row.counts}"
    for job in store.jobs.values():
        if (job.row.state in JOB_ENDS) != all(stages[job.row.id]) or job.row.stages_ended != sum(stages[job.row.id]):
            yield f"{job.row} with stages ended: {stages[job.row.id]}"
        if job.row.state == JobState.FINISHED and not job.row.draining:
            yield from _canceled_for_nothing(store, job.row.id)


def _canceled_for_nothing(store: Store, job: object) -> Iterator[str]:
    for stage in store.stages.values():
        if stage.row.job_id == job and stage.row.counts[TaskState.CANCELED] and not stage.row.gang:
            yield f"stage {stage.row.id} of a finished job has canceled tasks"


INVARIANTS: tuple[tuple[str, Callable[[Store], Iterator[str]]], ...] = (
    ("I2", listed_once),
    ("I2/I3", counted),
    ("I3", timed),
    ("I5/I6", held),
    ("I7", fed),
    ("I9", whole_gangs),
    ("I8", ended),
    ("I17", suspended),
)


def fed_now(database: Database, execution: Execution, finished: Set[tuple[int, int]]) -> Iterator[str]:
    """I7: what begins has all its inputs, wherever they are known."""
    store = database.store
    for edge in store.edges:
        if edge.consumer == execution.stage:
            width, tasks = store.stages[edge.producer].row.parallelism, store.stages[edge.consumer].row.parallelism
            low, high = (0, width) if edge.exchange is Exchange.ALL else dag.inputs(execution.index, width, tasks)
            for index in range(low, high):
                task = store.tasks[edge.producer, index]
                if task.state not in TASK_ENDS and (edge.producer, index) not in finished:
                    yield f"{execution} begins before {task} has ended"


def not_paused(database: Database, execution: Execution, finished: Set[tuple[int, int]]) -> Iterator[str]:
    """I10: once a pause has settled, nothing begins."""
    for id_, node in database.store.nodes.items():
        settled = database.registrations[id_].paused and node.confirmed_pause >= node.pause_epoch
        if node.name == execution.machine and settled:
            yield f"{execution} begins although the pause {node.pause_epoch} has settled"


OF_BEGINNINGS: tuple[tuple[str, Callable[[Database, Execution, Set[tuple[int, int]]], Iterator[str]]], ...] = (
    ("I7", fed_now),
    ("I10", not_paused),
)


class Transitions:
    """I1 and I3: from commit to commit no job goes, states follow each other as their tables say, and attempts only grow."""

    def __init__(self) -> None:
        #: Whether times can be compared: the clock was never set.
        self.comparable = True
        self._tasks: dict[tuple[int, int], TaskRecord] = {}
        self._jobs: dict[UUID, JobState] = {}

    def forget(self) -> None:
        """Compare with nothing of before: the records fell back."""
        self._tasks, self._jobs = {}, {}

    def broken(self, store: Store, accepted: Iterable[UUID]) -> Iterator[str]:
        """Yield the steps since the last look that are not allowed."""
        yield from (f"job {id_} was accepted and is gone" for id_ in accepted if id_ not in store.jobs)
        for key, task in store.tasks.items():
            before = self._tasks.get(key, task)
            if task is not before:
                yield from _wrong_step(before, task)
                yield from _too_soon(before, task, store.now) if self.comparable else ()
        self._tasks = dict(store.tasks)
        for id_, job in store.jobs.items():
            state = self._jobs.get(id_, JobState.CREATED)
            if job.row.state != state and not _job_reachable(state, job.row.state):
                yield f"{job.row} was {state.name}"
            self._jobs[id_] = job.row.state


def _wrong_step(before: TaskRecord, after: TaskRecord) -> Iterator[str]:
    if after.attempt < before.attempt:
        yield f"{after} was at attempt {before.attempt}"
    if after.attempt == before.attempt and after.state != before.state and not _reachable(before.state, after.state):
        yield f"{after} was {before.state.name}"


def _too_soon(before: TaskRecord, after: TaskRecord, now: float) -> Iterator[str]:
    placed = before.state == TaskState.CREATED and after.state in LISTED
    if placed and before.not_before is not None and now < before.not_before - JUST:
        yield f"{after} is placed {before.not_before - now:.3f} s before its backoff is over"


def _reachable(before: TaskState, after: TaskState) -> bool:
    """Return whether one transaction may bring a task from one state to another, by one step or two."""
    return after in TASK_TRANSITIONS[before] or any(after in TASK_TRANSITIONS[step] for step in TASK_TRANSITIONS[before])


def _job_reachable(before: JobState, after: JobState) -> bool:
    reached, fresh = {before}, {before}
    while fresh:
        fresh = {step for state in fresh for step in JOB_TRANSITIONS[state]} - reached
        reached |= fresh
    return after in reached
