"""What tasks are handed, on several real agents: compared value by value with a plain computation."""

import pytest

from jobs.checks.invariants import violations
from jobs.models import Task
from nodes.models import Node
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import digest
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import Stack

WORK = """
import time
from switchyard.task import FAILED

def gen(item):
    time.sleep(0.02)
    return f"p{item}"

def use(task):
    return ["FAILED" if value is FAILED else value for value in task.inputs["gen"]]
"""


@pytest.mark.parametrize("agents", [2, 4])
def test_a_pointwise_consumer_is_handed_its_own_part_whole(stack: Stack, agents: int) -> None:
    for number in range(agents):
        stack.start_agent(f"agent{number}", slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == agents, "the agents register")
    count = 400
    job = stack.submit(
        {
            "gen": {"python": "work:gen", "foreach": list(range(count)), "files": {"work.py": WORK}},
            "use": {
                "python": "work:use", "parallelism": count, "files": {"work.py": WORK},
                "needs": [{"stage": "gen", "exchange": "pointwise"}],
            },
        }
    )  # fmt: skip
    assert stack.wait(job).state == JobState.FINISHED, job.error
    used = Task.objects.filter(stage__name="use").order_by("index").values_list("result", flat=True)
    assert list(used) == [[f"p{index}"] for index in range(count)]
    assert Task.objects.filter(stage__name="use").values("node_id").distinct().count() == agents
    assert Task.objects.filter(stage__name="use", inputs=None).count() == 0, "each end says what the task was handed"
    assert violations() == []


def test_a_task_that_was_handed_something_else_is_found(stack: Stack) -> None:
    stack.start_agent("only")
    needs = [{"stage": "gen", "exchange": "pointwise"}]
    files = {"work.py": WORK}
    job = stack.submit(
        {
            "gen": {"python": "work:gen", "foreach": [0, 1, 2], "files": files},
            "use": {"python": "work:use", "parallelism": 3, "files": files, "needs": needs},
        }
    )
    assert stack.wait(job).state == JobState.FINISHED
    assert violations() == []
    Task.objects.filter(stage__name="use", index=1).update(inputs=digest([(job.stages.get(name="gen").id, IndexSet())]))
    use = job.stages.get(name="use").id
    assert [(each.invariant[:2], each.what) for each in violations()] == [("I7", str((use, 1)))]
