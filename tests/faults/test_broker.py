"""A broker that refuses, freezes or forgets with work in flight: everything ends, and every task ran once."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.models import Attempt, Job
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState
from tests.brokers import Broker
from tests.faults.test_kills import COUNT, begun, in_flight, submit
from tests.flows.stack import Stack, Watch

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("own")]


def messages(stack: Stack) -> Any:
    return httpx.get(f"{stack.url}/readyz", trust_env=False).json()["checks"]["messages"]


def get(stack: Stack, path: str) -> str:
    headers = {"Authorization": f"Bearer {stack.credentials['token']}"}
    return httpx.get(stack.url + path, headers=headers, trust_env=False).text


def test_a_broker_that_refuses_writes_is_told_everywhere(stack: Stack, own: Broker) -> None:
    stack.until(lambda: messages(stack) == "ok", "the leader hears itself")
    assert "switchyard_broker_delivers 1.0" in get(stack, "/metrics")
    own.refuse_writes()
    stack.until(lambda: messages(stack) == "takes no messages", "the leader notices")
    assert httpx.get(f"{stack.url}/readyz", trust_env=False).status_code == 503
    assert "switchyard_broker_delivers 0.0" in get(stack, "/metrics")
    own.mend()
    stack.until(lambda: messages(stack) == "ok", "the leader hears itself again")


def test_a_leader_that_hears_nothing_gives_the_lease_back(stack: Stack, own: Broker) -> None:
    stack.start_agent("only")
    assert stack.wait(stack.submit({"a": {"python": "bench.callables:square"}})).state == JobState.FINISHED
    own.client.acl_setuser("default", enabled=True, nopass=True, commands=["-brpop"])
    stack.until(lambda: messages(stack) == "does not deliver messages", "the leader gives up")
    own.client.acl_setuser("default", enabled=True, nopass=True, commands=["+brpop"])
    stack.until(lambda: messages(stack) == "ok", "the next leader hears itself")
    assert stack.wait(stack.submit({"a": {"python": "bench.callables:square"}})).state == JobState.FINISHED


@pytest.mark.parametrize(
    ("harm", "mend", "seconds"),
    [
        (Broker.freeze, Broker.thaw, 20),
        (Broker.become_a_replica, Broker.mend, 10),
        (Broker.refuse_writes, Broker.mend, 10),
        (Broker.fill, Broker.mend, 10),
        (Broker.forget, Broker.mend, 0),
    ],
)
def test_work_goes_on_after_the_broker_failed(
    stack: Stack,
    watch: Watch,
    marks: Path,
    own: Broker,
    harm: Callable[[Broker], None],
    mend: Callable[[Broker], None],
    seconds: float,
) -> None:
    for name in ("left", "right"):
        stack.start_agent(name, slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    jobs = [submit(stack, marks, seconds=0.2)]
    in_flight(stack, marks)
    harm(own)
    jobs.append(stack.submit({"meanwhile": {"python": "bench.callables:square", "parallelism": 20}}))
    time.sleep(seconds)
    mend(own)
    assert {stack.wait(job).state for job in jobs} == {JobState.FINISHED}
    assert begun(marks) == COUNT
    assert not Attempt.objects.exists()
    assert not Job.objects.filter(ended_at=None).exists()
