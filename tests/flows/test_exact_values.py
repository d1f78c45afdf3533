"""Values of users are exact: numbers keep their kind and sign, objects the order of their keys, wherever they are shown."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.models import Job, Task
from nodes.models import Node
from switchyard import Client
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import ROOT, Stack

WORK = """
def give(value):
    return {**value, "big": 123456789012345678901234567890}

def listed(value):
    return [value, value]

def take(task):
    return repr(task.inputs["give"][0])

def configured(task):
    value = task.config["value"]
    task.config.clear()
    return repr(value)

def own(item, value=None):
    return repr([item, value])
"""
SWITCHYARD = str(Path(sys.executable).parent / "switchyard")
FILES = {"work.py": WORK}
TEXT = (
    '{"z": 6.02e23, "a": -0.0, "n": [1.0, 1e16, 0.1, 5e-324, 2.50, 1.7976931348623157e308], '
    '"low": -9223372036854775808, "naïve": "\U0001f600 \\u00e9", "e": {"y": 1e2, "b": 1}}'
)
#: Characters that are added to a value: it goes in the row, as an artifact, and with a description that is fetched.
SIZES = (0, 20_000, 100_000)
BIG = {"exact": 2**53 + 1, "wide": 2**64 + 1, "far": -(10**40)}


def sized(size: int) -> dict[str, Any]:
    """Return the value that a job of the test is given."""
    value: dict[str, Any] = json.loads(TEXT) | BIG
    return value | {"pad": "x" * size}


def made(value: dict[str, Any]) -> dict[str, Any]:
    """Return what the first task makes of it."""
    return value | {"big": 123456789012345678901234567890}


@pytest.fixture
def two_agents(stack: Stack) -> Stack:
    """Give a stack on which two agents run one task each."""
    for name in ("left", "right"):
        stack.start_agent(name, slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    return stack


def finished(stack: Stack, value: dict[str, Any]) -> Job:
    """Return a job that ended, of which each stage is given the value in another way."""
    job = stack.submit(
        {
            "give": {"python": "work:give", "args": [value], "files": FILES},
            "take": {"python": "work:take", "needs": ["give"], "parallelism": 2, "gang": True, "files": FILES},
            "items": {"python": "work:own", "foreach": [value], "kwargs": {"value": value}, "files": FILES},
            "listed": {"python": "work:listed", "kwargs": {"value": value}, "files": FILES},
            "each": {"python": "work:own", "foreach": {"from": "listed"}, "files": FILES},
            "configured": {"python": "work:configured", "parallelism": 2, "files": FILES},
            "config": {
                "command": 'echo "{\\"result\\": $(cat $SWITCHYARD_CONFIG)}" > $SWITCHYARD_REPORT', "shell": True,
            },
            "command": {
                "command": 'echo "{\\"result\\": $(cat $SWITCHYARD_INPUTS)}" > $SWITCHYARD_REPORT', "shell": True,
                "needs": ["give"],
            },
        },
        config={"value": value},
    )  # fmt: skip
    assert stack.wait(job).state == JobState.FINISHED, job.error
    return job


def results(stack: Stack, job: Job, stage: str) -> list[Any]:
    with Client(stack.url, stack.credentials["token"]) as client:
        return list(client.stage_results(job.number, stage).results)


@pytest.mark.parametrize("size", SIZES)
def test_values_reach_tasks_and_people_as_they_were_given(two_agents: Stack, size: int) -> None:
    value = sized(size)
    given, done = made(value), finished(two_agents, value)
    assert Task.objects.filter(stage__name="take").values("node_id").distinct().count() == 2
    assert results(two_agents, done, "take") == [repr(given)] * 2
    assert results(two_agents, done, "items") == [repr([value, value])]
    assert results(two_agents, done, "each") == [repr([value, None])] * 2
    assert repr(results(two_agents, done, "command")) == repr([{"give": [given]}])
    assert results(two_agents, done, "configured") == [repr(value)] * 2
    assert repr(results(two_agents, done, "config")) == repr([{"value": value}])
    _assert_shown(two_agents, done, value)
    described = control.stored_spec(done)
    assert repr([described["config"], described["stages"][0]["args"]]) == repr([{"value": value}, [value]])
    assert violations() == []


def _assert_shown(stack: Stack, job: Job, value: dict[str, Any]) -> None:
    given = made(value)
    headers = {"Authorization": f"Bearer {stack.credentials['token']}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as client:
        api = f"/api/v1/jobs/{job.number}"
        assert repr(client.get(f"{api}/stages/give/tasks/0/result").json()) == repr(given)
        if not value["pad"]:
            assert repr(client.get(f"{api}/stages/give/tasks/0").json()["result"]) == repr(given)
        assert repr(client.get(f"{api}/stages/give/results").json()["results"]) == repr([given])
        assert repr(client.get(api).json()["spec"]["config"]) == repr({"value": value})
        stages = {name: client.get(f"{api}/stages/{name}").json()["spec"] for name in ("give", "items", "each")}
        assert repr([stages["give"]["args"], stages["items"]["foreach"]]) == repr([[value], [value]])
        assert repr(stages["items"]["kwargs"]) == repr({"value": value})
        assert stages["each"]["foreach"] == {"from": "listed"}
        config = client.get(f"/jobs/{job.id}/config").json()["execution-config"]["user-config"]
        assert repr(json.loads(config["value"])) == repr(value)
        config = client.get(f"/api/job/{job.id}/config").json()
        assert repr(json.loads(config["value"])) == repr(value)
        page = client.get(f"/ui/jobs/{job.number}/stages/give/tasks/0/").text
    if not value["pad"]:
        assert_exact(page)
    command = [SWITCHYARD, "results", str(job.number), "give"]
    env = stack.env | {"SWITCHYARD_URL": stack.url, "SWITCHYARD_TOKEN": stack.credentials["token"]}
    told = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    assert repr(json.loads(told)) == repr([given])


def assert_exact(shown: str) -> None:
    """Require that a page shows the numbers of the value as they are."""
    for number in ("6.02e+23", "-0.0", "9007199254740993", "18446744073709551617", "123456789012345678901234567890"):
        assert number in shown, number


def test_a_number_that_is_none_is_refused_with_its_place(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.credentials['token']}", "Content-Type": "application/json"}
    for number in ("1e400", "-1e400", "NaN"):
        body = f'{{"name": "a", "stages": [{{"name": "a", "python": "work:give", "args": [{{"x": {number}}}]}}]}}'
        answer = httpx.post(f"{stack.url}/api/v1/jobs", content=body, headers=headers, trust_env=False)
        assert answer.status_code == 400, (number, answer.text)
        assert "args" in answer.text, number


def test_a_result_with_a_number_that_is_none_fails_its_task(stack: Stack) -> None:
    stack.start_agent("only", slots=1)
    text = 'echo "{\\"result\\": {\\"x\\": 1e400}}" > $SWITCHYARD_REPORT'
    job = stack.wait(stack.submit({"a": {"command": text, "shell": True}}))
    assert job.state == JobState.FAILED
    assert "result" in job.error
