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
from switchyard.scheduling.lifecycle import JobState
from tests.flows.stack import ROOT, Stack

WORK = """
def give(value):
    return {**value, "big": 123456789012345678901234567890}

def listed(value):
    return [value, value]

def take(task):
    return repr(task.inputs["give"][0])

def own(item, value=None):
    return repr([item, value])
"""
SWITCHYARD = str(Path(sys.executable).parent / "switchyard")
FILES = {"work.py": WORK}
TEXT = (
    '{"z": 6.02e23, "a": -0.0, "n": [1.0, 1e16, 0.1, 5e-324, 2.50, 1.7976931348623157e308], '
    '"low": -9223372036854775808, "naïve": "\U0001f600 \\u00e9", "e": {"y": 1e2, "b": 1}}'
)
VALUE = json.loads(TEXT)
#: What the first task makes of it; a description may have no number of more than 64 bits.
GIVEN = VALUE | {"big": 123456789012345678901234567890}


@pytest.fixture
def two_agents(stack: Stack) -> Stack:
    """Give a stack on which two agents run one task each."""
    for name in ("left", "right"):
        stack.start_agent(name, slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    return stack


@pytest.fixture
def done(two_agents: Stack) -> Job:
    """Give a job that ended, of which each stage is given the value in another way."""
    job = two_agents.submit(
        {
            "give": {"python": "work:give", "args": [VALUE], "files": FILES},
            "take": {"python": "work:take", "needs": ["give"], "parallelism": 2, "gang": True, "files": FILES},
            "items": {"python": "work:own", "foreach": [VALUE], "kwargs": {"value": VALUE}, "files": FILES},
            "listed": {"python": "work:listed", "kwargs": {"value": VALUE}, "files": FILES},
            "each": {"python": "work:own", "foreach": {"from": "listed"}, "files": FILES},
            "command": {
                "command": 'echo "{\\"result\\": $(cat $SWITCHYARD_INPUTS)}" > $SWITCHYARD_REPORT', "shell": True,
                "needs": ["give"],
            },
        },
        config={"value": VALUE},
    )  # fmt: skip
    assert two_agents.wait(job).state == JobState.FINISHED, job.error
    return job


def results(job: Job, stage: str) -> list[Any]:
    return list(Task.objects.filter(stage__job=job, stage__name=stage).order_by("index").values_list("result", flat=True))


def test_values_reach_tasks_and_people_as_they_were_given(two_agents: Stack, done: Job) -> None:
    assert Task.objects.filter(stage__name="take").values("node_id").distinct().count() == 2
    assert results(done, "take") == [repr(GIVEN)] * 2
    assert results(done, "items") == [repr([VALUE, VALUE])]
    assert results(done, "each") == [repr([VALUE, None])] * 2
    assert repr(results(done, "command")) == repr([{"give": [GIVEN]}])
    _assert_shown(two_agents, done)
    described = control.stored_spec(done)
    assert repr([described["config"], described["stages"][0]["args"]]) == repr([{"value": VALUE}, [VALUE]])
    assert violations() == []


def _assert_shown(stack: Stack, job: Job) -> None:
    headers = {"Authorization": f"Bearer {stack.credentials['token']}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as client:
        api = f"/api/v1/jobs/{job.number}"
        assert repr(client.get(f"{api}/stages/give/tasks/0/result").json()) == repr(GIVEN)
        assert repr(client.get(f"{api}/stages/give/tasks/0").json()["result"]) == repr(GIVEN)
        assert repr(client.get(f"{api}/stages/give/results").json()["results"]) == repr([GIVEN])
        assert repr(client.get(api).json()["spec"]["config"]) == repr({"value": VALUE})
        stages = {name: client.get(f"{api}/stages/{name}").json()["spec"] for name in ("give", "items", "each")}
        assert repr([stages["give"]["args"], stages["items"]["foreach"]]) == repr([[VALUE], [VALUE]])
        assert repr(stages["items"]["kwargs"]) == repr({"value": VALUE})
        assert stages["each"]["foreach"] == {"from": "listed"}
        config = client.get(f"/jobs/{job.id}/config").json()["execution-config"]["user-config"]
        assert repr(json.loads(config["value"])) == repr(VALUE)
        page = client.get(f"/ui/jobs/{job.number}/stages/give/tasks/0/").text
    assert "6.02e+23" in page
    assert "-0.0" in page
    command = [SWITCHYARD, "results", str(job.number), "give"]
    env = stack.env | {"SWITCHYARD_URL": stack.url, "SWITCHYARD_TOKEN": stack.credentials["token"]}
    told = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    assert "6.02e+23" in told
    assert "-0.0" in told


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
