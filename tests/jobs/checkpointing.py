"""Checkpoints that tests let a job have, by the functions that leader and agents use."""

from hashlib import sha256

from artifacts import storing
from jobs.leader.loop import Leader
from jobs.models import Checkpoint, Job
from jobs.store import states
from jobs.store.checkpoints import CHECKPOINTS
from jobs.store.states import State
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.checkpoints import Due, Ended
from tests.jobs.agents import ListAgent, turn

#: A stage, an attempt and an index.
Task = tuple[int, int, int]
DATA = bytes(10_000)
DIGEST = sha256(DATA).hexdigest()


def begin(leader: Leader, agent: ListAgent) -> list[Task]:
    """Let all tasks run that can be placed, and return them."""
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.start(tasks))
    return tasks


def ask(job: Job, tasks: list[Task]) -> Checkpoint:
    """Let a checkpoint ask tasks for their states."""
    stages = sorted({(stage, attempt) for stage, attempt, _ in tasks})
    asked = [
        (stage, attempt, IndexSet.from_indexes(index for *of, index in tasks if of == [stage, attempt]))
        for stage, attempt in stages
    ]
    return Checkpoint.objects.get(id=CHECKPOINTS.open(Due(job.id, 2), asked))


def answer(agent: ListAgent, checkpoint: Checkpoint | None, tasks: list[Task], size: int = 10) -> None:
    """Let tasks of one stage save states, each of so many bytes; -1: they answer and save none."""
    saved = [
        State(index, attempt, place * max(size, 0), size, is_json=True, length=-1, sync=2_000, age=3_000)
        for place, (_, attempt, index) in enumerate(tasks)
    ]
    stage = tasks[0][0]
    storing.store(DIGEST, [DATA])
    kept = states.keep(agent.node, stage, checkpoint.id if checkpoint else None, DIGEST if size > 0 else "", saved)
    assert len(kept) == len(tasks)


def end(checkpoint: Checkpoint, failure: str = "", keep: int = 2) -> None:
    """End a checkpoint: completed, or why not."""
    CHECKPOINTS.end([Ended(checkpoint.id, checkpoint.job_id, keep, failure)])
