"""A node that cannot run a stage: its tasks are placed on others, and the job fails when there is none that can."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Stage, Task
from jobs.reading.explanations import explain_job
from nodes.models import Event, Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.agent.process import wait_until
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
WHY = "the interpreter /x/python is missing"


@pytest.fixture
def other(leader: Leader, agent: ListAgent, broker: redis.Redis) -> ListAgent:
    return ListAgent(broker, "n2")


def refuse(leader: Leader, agent: ListAgent, kind: str = "lost") -> None:
    """Let an agent say of what it has that its machine cannot run it, as one end and the rest given back."""
    agent.listen()
    first, *rest = agent.tasks()
    turn(leader, agent.fail([first], kind, unfit=WHY, error=f"the node could not run the task: {WHY}"))
    turn(leader, agent.give_back(rest))


def test_tasks_that_a_node_cannot_run_are_placed_on_another(
    leader: Leader, agent: ListAgent, other: ListAgent, job: Submit
) -> None:
    made = job({"a": {"parallelism": 4}, "b": {"needs": ["a"]}})
    turn(leader)
    refuse(leader, agent)
    for _ in range(5):
        other.listen()
        turn(leader, *([other.finish(other.tasks())] if other.tasks() else []))
    made.refresh_from_db()
    assert made.state == JobState.FINISHED
    assert set(Task.objects.filter(stage__name="a").values_list("node_id", flat=True)) == {other.node}
    assert set(Task.objects.values_list("losses", "failures")) == {(0, 0)}
    assert list(Attempt.objects.values_list("node_id", "exit_class")) == [(agent.node, "lost")]
    told = list(Event.objects.filter(job_id=made.id, node_id=agent.node).values_list("kind", "text"))
    assert told == [("node_avoided", f"Node n1 cannot run stage a: {WHY}. Its tasks are placed on others, if there are any.")]


def test_a_job_fails_when_no_node_can_run_it(leader: Leader, agent: ListAgent, other: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 4}}, retry={"attempts": 9})
    turn(leader)
    refuse(leader, agent)
    refuse(leader, other)
    turn(leader)
    made.refresh_from_db()
    assert JobState(made.state) == JobState.FAILED
    assert made.error.endswith(f" of stage a failed: no node can run it: {WHY} (tried: n1, n2)")
    states = list(Task.objects.order_by("index").values_list("state", "exit_class"))
    assert states.count((TaskState.FAILED, "unloadable")) == 1


def test_an_environment_that_no_node_can_build_fails_the_job_with_that_class(
    leader: Leader, agent: ListAgent, other: ListAgent, job: Submit
) -> None:
    made = job({"a": {"parallelism": 2}}, retry={"attempts": 9})
    turn(leader)
    refuse(leader, agent, "environment")
    assert JobState(Job.objects.get(id=made.id).state) == JobState.RUNNING
    refuse(leader, other, "environment")
    turn(leader)
    made.refresh_from_db()
    assert (JobState(made.state), made.error.endswith(f"no node can run it: {WHY} (tried: n1, n2)")) == (
        JobState.FAILED,
        True,
    )
    assert Task.objects.filter(exit_class="environment", state=TaskState.FAILED).count() == 1


def test_an_environment_that_cannot_exist_fails_the_job_at_its_first_node(
    leader: Leader, agent: ListAgent, other: ListAgent, job: Submit
) -> None:
    made = job({"a": {"parallelism": 2}}, retry={"attempts": 9}, max_failures=5)
    turn(leader)
    agent.listen()
    other.listen()
    first, *rest = agent.tasks() or other.tasks()
    at = agent if agent.tasks() else other
    turn(leader, at.fail([first], "environment", error="ERROR: No matching distribution found for x"), at.give_back(rest))
    turn(leader)
    made.refresh_from_db()
    assert JobState(made.state) in (JobState.FAILED, JobState.FAILING)
    assert made.error == f"task {first[2]} of stage a failed: ERROR: No matching distribution found for x"
    assert set(Task.objects.values_list("attempt", flat=True)) == {0}


def test_where_another_node_is_paused_the_tasks_wait_and_say_so(
    leader: Leader, agent: ListAgent, other: ListAgent, job: Submit
) -> None:
    Node.objects.filter(id=other.node).update(paused=True)
    made = job({"a": {}})
    turn(leader)
    refuse(leader, agent)

    def is_refused() -> bool:
        turn(leader)
        return Stage.objects.exclude(refusal=None).exists()

    wait_until(is_refused)
    explained = explain_job(made.id, now=timezone.now() + timedelta(seconds=5))
    assert explained
    reasons = explained["stages"][0]["reasons"]
    assert f"1 node cannot run these tasks: {WHY}." in reasons
    assert "1 node is paused." in reasons
    Node.objects.update(paused=False)
    turn(leader)
    other.listen()
    turn(leader, other.finish(other.tasks()))
    made.refresh_from_db()
    assert made.state == JobState.FINISHED


def test_a_node_that_the_job_may_not_use_is_none_that_is_left(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    ListAgent(broker, "small", cpus=10)
    ListAgent(broker, "elsewhere", pool="other")
    made = job({"a": {}}, constraints={"zone": "a"})
    Node.objects.filter(id=agent.node).update(labels={"zone": "a"})
    ListAgent(broker, "unlabelled")
    turn(leader)
    refuse(leader, agent)
    turn(leader)
    made.refresh_from_db()
    assert (JobState(made.state), made.error.endswith("(tried: n1)")) == (JobState.FAILED, True)
