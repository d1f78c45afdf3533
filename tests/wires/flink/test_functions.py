"""Flink's routes of programs with functions: an answer after a while, and one operation however often a request comes."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from artifacts.storage import Storage
from jobs.leader.loop import Leader
from jobs.models import Job, Operation
from tests.jobs.agents import ListAgent, turn
from tests.programs.archives import zipped
from tests.wires.flink.conftest import JSON
from wires.flink import functions

MADE = {"name": "made", "stages": [{"name": "a", "command": ["true"]}, {"name": "b", "command": ["true"], "needs": ["a"]}]}
RUN, PLAN = "/jars/a.jar/run?entry-class=jobs:build", "/jars/a.jar/plan?entry-class=jobs:build"

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def _jar(operator: Client, kept: Storage) -> None:
    file = SimpleUploadedFile("a.jar", zipped({"jobs.py": ""}))
    assert operator.post("/jars/upload", {"jarfile": file}).status_code == 200


@pytest.fixture(autouse=True)
def _nobody_waits() -> Iterator[None]:
    """Let requests be answered at once, as where too many wait."""
    taken = [functions.WAITING.acquire(blocking=False) for _ in range(2)]
    assert all(taken)
    yield
    for _ in taken:
        functions.WAITING.release()


@pytest.fixture
def ask(operator: Client) -> Ask:
    def asked(path: str, status: int = 200, **headers: str) -> Any:
        answer = operator.generic("GET" if "/plan" in path else "POST", path, headers=headers)
        assert (answer.status_code, answer["Content-Type"]) == (status, JSON), answer.content
        return answer.json()

    return asked


def call(leader: Leader, agent: ListAgent, result: object = None, error: str = "") -> None:
    """Have the agent call the function, and the leader end the operation."""
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.fail(tasks, error=error) if error else agent.finish(tasks, json.dumps(result)))
    turn(leader)
    leader.planner.step()
    leader.planner.wait()


def test_a_run_that_comes_again_finds_its_operation_and_its_job(ask: Ask, leader: Leader, agent: ListAgent) -> None:
    for _ in range(2):
        [told] = ask(RUN, 503)["errors"]
        assert f"/api/v1/operations/{Operation.objects.get().id}" in told
    call(leader, agent, MADE)
    assert UUID(ask(RUN)["jobid"]) == Job.objects.get(name="made").id
    ask(RUN, 503)
    assert Operation.objects.count() == 2, "what comes after the answer is another run"


def test_a_key_always_gives_the_same_job(ask: Ask, leader: Leader, agent: ListAgent) -> None:
    key = {"Idempotency-Key": "k"}
    ask(RUN, 503, **key)
    call(leader, agent, MADE)
    assert ask(RUN, **key) == ask(RUN, **key)
    assert Operation.objects.count() == 1


def test_other_arguments_are_another_request(ask: Ask) -> None:
    for path in (RUN, f"{RUN}&program-args=a", f"{RUN}&parallelism=2", PLAN):
        ask(path, 503)
    assert Operation.objects.count() == 4


def test_a_plan_is_the_graph_that_the_function_describes(ask: Ask, leader: Leader, agent: ListAgent) -> None:
    ask(PLAN, 503)
    call(leader, agent, MADE)
    assert [node["description"] for node in ask(PLAN)["plan"]["nodes"]] == ["b", "a"]
    assert not Job.objects.filter(name="made").exists()


def test_a_function_that_failed_is_told_and_called_again(ask: Ask, leader: Leader, agent: ListAgent) -> None:
    ask(RUN, 503)
    call(leader, agent, error="ValueError: no such city")
    assert "no such city" in ask(RUN, 400)["errors"][0]
    ask(RUN, 503)
    assert Operation.objects.count() == 2


def test_an_old_answer_that_nobody_took_is_not_given(ask: Ask, leader: Leader, agent: ListAgent) -> None:
    ask(RUN, 503)
    call(leader, agent, MADE)
    ended = Operation.objects.get()
    assert ended.ended_at is not None
    Operation.objects.update(ended_at=ended.ended_at.replace(year=ended.ended_at.year - 1))
    ask(RUN, 503)
    assert Operation.objects.count() == 2


def test_a_viewer_has_no_function_called(viewer: Client) -> None:
    assert viewer.get(PLAN).status_code == 403
    assert not Job.objects.exists()


def test_an_odd_name_of_a_function_is_a_400(ask: Ask) -> None:
    assert "module:function" in ask("/jars/a.jar/run?entry-class=jobs:build:x", 400)["errors"][0]
