"""The property of inputs: whatever the graph and whatever happens, each task is handed what those before it gave (I7)."""

from random import Random
from typing import Any

import pytest

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.models import Job, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.graphs import described, graph, wrong
from tests.flows.stack import Stack
from tests.people import ANN

JOBS = 10
AGAIN = {"attempts": 3, "backoff": {"initial": 0.05}}


@pytest.mark.parametrize(("agents", "seed"), [(1, 1), (2, 2), (3, 3), (4, 4)])
def test_every_task_is_handed_what_those_before_it_gave(stack: Stack, agents: int, seed: int) -> None:
    rng = Random(seed)
    for number in range(agents):
        stack.start_agent(f"agent{number}", slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == agents, "the agents register")
    graphs = [graph(rng, agents) for _ in range(JOBS)]
    jobs = [stack.submit(described(stages), retry=AGAIN, max_failures=1000) for stages in graphs]
    drained = set()
    for job in rng.sample(jobs, 2):
        job.refresh_from_db()
        if job.ended_at is None:
            control.drain(ANN, job.id)
            drained.add(job.id)
    stack.until(lambda: Task.objects.filter(state=TaskState.FINISHED).count() > 20, "work is in flight")
    if agents > 1:
        stack.kill("agent0")
        stack.start_agent("agent0", slots=1)
    for job, stages in zip(jobs, graphs, strict=True):
        assert stack.wait(job, 120).state == JobState.FINISHED, job.error
        assert wrong(job, stages) == [], f"seed {seed}"
        if job.id not in drained:
            assert misjudged(job, stages) == [], f"seed {seed}"
    assert violations() == []


def misjudged(job: Job, stages: dict[str, dict[str, Any]]) -> list[str]:
    """Return the tasks that did not end as they are written to: the `fatal` ones FAILED, all others FINISHED."""
    found = []
    for task in Task.objects.filter(stage__job=job).select_related("stage"):
        fatal = stages[task.stage.name].get("kwargs", {}).get("fatal", 0)
        state = TaskState.FAILED if fatal and task.index % fatal == 1 else TaskState.FINISHED
        if task.state != state:
            found.append(f"{task.stage.name}[{task.index}] is {TaskState(task.state).name}: {task.error}")
    return found
