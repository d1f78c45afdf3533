"""What users give to tasks, by the megabyte, on real processes: it arrives exact, and Redis stays small."""

import signal
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.models import Stage, Task
from nodes.models import Node
from switchyard.messaging.messages import queue_of
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows import digesting
from tests.flows.digesting import digest
from tests.flows.stack import Stack
from tests.people import ANN

MIB = 1024 * 1024
LARGE = "x" * (8 * MIB - 1000)
FILES = {"mine.py": Path(digesting.__file__).read_text()}


def stage(call: str = "digest", **more: Any) -> dict[str, Any]:
    return {"python": f"mine:{call}", "files": FILES, **more}


@pytest.fixture
def two_agents(stack: Stack) -> Stack:
    """Give a stack with two agents of two slots."""
    for name in ("left", "right"):
        stack.start_agent(name)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    return stack


def test_large_values_arrive_exact_on_both_agents(two_agents: Stack) -> None:
    stack = two_agents
    table = {"b": [6.02e23, -0.0, 2**62, "\u00e9\u2028\U0001f600"], "a": LARGE}
    items = [f"{number}{LARGE[:300_000]}" for number in range(100)]
    job = stack.submit({"kwarg": stage(kwargs=table, parallelism=40), "each": stage(foreach=items, args=["\u00e9"])})
    assert stack.wait(job, 120).state == JobState.FINISHED
    results = dict(Task.objects.filter(stage__name="each").values_list("index", "result"))
    assert results == {index: digest(item, "\u00e9") for index, item in enumerate(items)}
    told = Task.objects.filter(stage__name="kwarg")
    assert set(told.values_list("result", flat=True)) == {digest(**table)}
    assert told.values("node_id").distinct().count() == 2
    assert violations() == []


def test_redis_stays_small_while_an_agent_is_stopped(two_agents: Stack, broker: redis.Redis) -> None:
    stack = two_agents
    before = broker.info("memory")["used_memory"]
    stack.kill("left", signal.SIGSTOP)
    queue = queue_of(Node.objects.get(name="left").session)
    job = stack.submit(
        {
            "kwarg": stage("length", kwargs={"table": LARGE}, parallelism=1000),
            "each": stage("length", foreach=[LARGE[:300_000]] * 100),
            **{f"one{number}": stage("length", args=[f"{number}{LARGE[:60_000]}"]) for number in range(150)},
        }
    )
    stack.until(lambda: broker.llen(queue) > 2, "commands wait for the agent that is stopped")
    stack.until(lambda: Task.objects.filter(state=TaskState.FINISHED).count() > 200, "the other agent works")
    waiting = [len(message) for message in broker.lrange(queue, 0, -1)]
    assert max(waiting) < MIB
    assert sum(waiting) < 16 * MIB
    assert broker.info("memory")["used_memory"] - before < 32 * MIB
    stack.kill("left", signal.SIGCONT)
    assert stack.wait(job, 120).state == JobState.FINISHED
    assert set(Task.objects.filter(stage__name="kwarg").values_list("result", flat=True)) == {len(LARGE)}
    assert violations() == []


def test_a_server_that_is_away_is_waited_for_and_a_cancel_is_not(two_agents: Stack) -> None:
    stack = two_agents
    stack.end_web()
    canceled = stack.submit({"a": stage(args=[LARGE], parallelism=20)})
    job = stack.submit({"a": stage(args=[LARGE, 1], parallelism=20)})

    def fetches() -> bool:
        named = Stage.objects.get(job_id=job.id).id
        return any(str(named) in (node.figures or {}).get("fetching", {}) for node in Node.objects.all())

    stack.until(fetches, "an agent says what it fetches")
    control.cancel(ANN, canceled.id)
    assert stack.wait(canceled).state == JobState.CANCELED
    assert not Task.objects.filter(started_at__isnull=False).exists()
    stack.start_web()
    assert stack.wait(job, 120).state == JobState.FINISHED
    assert set(Task.objects.filter(stage__job_id=job.id).values_list("result", flat=True)) == {digest(LARGE, 1)}
    assert violations() == []
