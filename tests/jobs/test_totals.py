"""What a node has is what its agent says that it has: no more, and not twice."""

from collections.abc import Callable
from typing import Any

import redis

from jobs.leader import lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Job, Stage, Task
from nodes import services
from nodes.models import Condition, Node, NodeResource
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]


def again(agent: ListAgent, **totals: int) -> None:
    assert agent.go_on(totals=totals)


def test_a_resource_that_an_agent_no_longer_has_is_gone(leader: Leader, broker: redis.Redis, job: Submit) -> None:
    agent = ListAgent(broker, cpus=2000, licenses=2)
    again(agent, cpus=2000)
    assert set(NodeResource.objects.values_list("name", flat=True)) == {"cpus"}
    job({"a": {"resources": {"licenses": 1}}})
    turn(leader)
    assert Task.objects.get().state == TaskState.CREATED
    refusal: Any = Stage.objects.get().refusal
    assert refusal["infeasible"]


def test_a_resource_that_is_held_stays_until_its_task_has_ended(leader: Leader, broker: redis.Redis, job: Submit) -> None:
    agent = ListAgent(broker, cpus=2000, licenses=2)
    job({"a": {"resources": {"licenses": 2}}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    again(agent, cpus=2000)
    licenses = NodeResource.objects.get(name="licenses")
    assert (licenses.total, licenses.capacity, licenses.held) == (0, 2, 2)
    turn(leader, agent.finish(agent.tasks()))
    job({"a": {"resources": {"licenses": 1}}})
    turn(leader)
    assert Task.objects.filter(state=TaskState.CREATED).count() == 1, "nothing more of it is placed"


def test_agents_that_offer_a_machine_twice_are_warned_of(leader: Leader) -> None:
    machine = {"boot_id": "m1", "cpus": 2000, "mem": 4096}

    def register(name: str, mem: int) -> None:
        info = {"agent": name, "machine": machine}
        services.register(name, totals={"cpus": 1000, "mem": mem}, labels={}, pool="default", info=info)

    register("left", 4096)
    assert not Condition.objects.exists()
    register("right", 4096)
    assert Condition.objects.filter(name="oversold").count() == 2
    assert "8,192 MiB of memory of 4,096" in Condition.objects.all()[0].description
    register("right", 2048)
    register("left", 2048)
    assert not Condition.objects.exists()
    register("third", 0)
    assert "left, right, third: 3 cpus of 2." in Condition.objects.all()[0].description
    lost_nodes.end_session(Node.objects.get(name="left").pk, epoch=leader.epoch, kept=frozenset(), blaming=False)
    assert not Condition.objects.exists(), "the others have enough now"
