"""Quarantine: a task that goes down with its nodes is not tried for ever, and is not blamed for what it did not do."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from jobs.leader import agent_reports, lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.durations import Measures
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
BLAME = LOST + 1


@pytest.fixture
def lose(leader: Leader, broker: redis.Redis) -> Callable[..., None]:
    """Begin the tasks on a node, and lose it."""

    def lose(name: str, *, listening: float = BLAME) -> None:
        agent = ListAgent(broker, name)
        turn(leader)
        agent.listen()
        turn(leader, agent.start(agent.tasks()))
        Node.objects.filter(id=agent.node).update(heard_at=timezone.now() - timedelta(seconds=LOST + 1))
        lost_nodes.watch_nodes(listening=listening, epoch=leader.epoch)
        Node.objects.filter(id=agent.node).update(session="")
        turn(leader)

    return lose


def the_job() -> tuple[str, str]:
    job = Job.objects.get()
    return JobState(job.state).name, job.error


def test_a_task_that_went_down_with_two_nodes_three_times_is_quarantined(lose: Callable[..., None], job: Submit) -> None:
    job({"a": {}}, retry={"attempts": 9})
    for name in ("n1", "n1", "n2"):
        assert the_job()[0] in ("CREATED", "RUNNING")
        lose(name)
    assert the_job() == ("FAILED", "stage a: quarantined task 0: lost 3 times or more with the node that ran it")
    assert Task.objects.get().losses == 3


def test_where_there_is_another_node_it_gets_its_chance_there(
    leader: Leader, broker: redis.Redis, lose: Callable[..., None], job: Submit
) -> None:
    ListAgent(broker, "full", cpus=100)
    job({"a": {}})
    for _ in range(3):
        lose("n1")
    assert Task.objects.get().state == TaskState.CREATED
    other = ListAgent(broker, "n2")
    turn(leader)
    other.listen()
    turn(leader, other.finish(other.tasks()))
    assert the_job() == ("FINISHED", "")


def test_a_task_that_comes_to_no_other_node_is_given_up_in_the_end(
    broker: redis.Redis, lose: Callable[..., None], job: Submit
) -> None:
    ListAgent(broker, "full", cpus=100)
    job({"a": {}})
    for _ in range(6):
        assert the_job()[0] != "FAILED"
        lose("n1")
    assert the_job()[0] == "FAILED"


def test_on_the_only_node_three_losses_are_enough(lose: Callable[..., None], job: Submit) -> None:
    job({"a": {}})
    for _ in range(3):
        lose("n1")
    assert the_job()[0] == "FAILED"


def test_losses_after_an_outage_of_the_control_plane_are_not_blamed_on_tasks(
    leader: Leader, broker: redis.Redis, job: Submit
) -> None:
    job({"a": {}})
    for _ in range(4):
        agent = ListAgent(broker, "n1")
        turn(leader)
        agent.listen()
        turn(leader, agent.start(agent.tasks()))
        Node.objects.update(session="another")
        lost_nodes.watch_nodes(listening=5, epoch=leader.epoch)
        Node.objects.update(session="")
    assert (Task.objects.get().state, Task.objects.get().losses) == (TaskState.CREATED, 0)


@pytest.mark.parametrize(("blaming", "ends"), [(True, "FAILED"), (False, "RUNNING")])
def test_losses_that_an_agent_reports_count_the_same(
    leader: Leader, agent: ListAgent, job: Submit, *, blaming: bool, ends: str
) -> None:
    job({"a": {}})
    for _ in range(3):
        turn(leader)
        agent.listen()
        turn(leader, agent.start(agent.tasks()))
        agent_reports.apply(
            [agent.fail(agent.tasks(), "lost", error="disk full")], Measures(), epoch=leader.epoch, blaming=blaming
        )
    turn(leader)
    assert the_job()[0] == ends
    assert not blaming or the_job()[1].endswith("with the node that ran it; at last: disk full")


def test_a_quarantined_task_may_be_one_that_its_job_can_do_without(lose: Callable[..., None], job: Submit) -> None:
    job({"a": {}}, max_failures=1)
    for name in ("n1", "n2", "n3"):
        lose(name)
    assert the_job() == ("FINISHED", "")
