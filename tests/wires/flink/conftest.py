"""What tests of this wire share: a job that runs, with all that tasks tell, and its ids as Flink has them."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from jobs.leader.loop import Leader
from jobs.models import Stage, Task
from tests.jobs.agents import ListAgent, turn

JSON = "application/json; charset=UTF-8"
TOLD = {"read_bytes": 10, "write_bytes": 20.0, "read_records": 3, "write_records": 4}
ADDED = {"letters": 7, "weight": 1.5}


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def told(viewer: Client) -> Callable[..., Any]:
    """Ask a route and return its answer as plain values."""
    return asking(viewer, {})


@pytest.fixture
def shown(viewer: Client) -> Callable[..., Any]:
    """Ask a route as the page of a dashboard does."""
    return asking(viewer, {"User-Agent": BROWSER})


def asking(viewer: Client, headers: dict[str, str]) -> Callable[..., Any]:
    """Return what asks a route and returns its answer as plain values."""

    def ask(path: str, status: int = 200) -> Any:
        answer = viewer.get(path, headers=headers)
        assert answer.status_code == status, answer.content
        assert answer["Content-Type"] == JSON
        return json.loads(b"".join(answer))

    return ask


@pytest.fixture
def running(
    submit: Callable[..., dict[str, Any]],
    leader: Leader,
    agent: ListAgent,
    placed: Callable[[], list[tuple[int, int, int]]],
) -> dict[str, str]:
    """Give the ids of a job whose first stage runs, and of that stage and its node."""
    made = submit(
        {"read": {"parallelism": 2}, "write": {"needs": ["read"]}}, config={"colour": "green"}, checkpoint={"interval": 2}
    )
    stage = Stage.objects.get(name="read").id
    turn(leader, agent.start([task for task in placed() if task[0] == stage]))
    Task.objects.filter(stage=stage).update(metrics=TOLD, accumulators=ADDED)
    return {"job": UUID(made["id"]).hex, "v0": f"{stage:032x}", "node": f"{agent.node:032x}", "id": made["id"]}


@pytest.fixture
def failed(running: dict[str, str], leader: Leader, agent: ListAgent) -> dict[str, str]:
    """Give the ids of a job of which the first stage failed."""
    stage = int(running["v0"], 16)
    turn(leader, agent.fail([task for task in agent.tasks() if task[0] == stage], error="RuntimeError: boom"))
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    return running
