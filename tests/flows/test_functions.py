"""Functions of programs on real processes: an agent calls them within limits, and nothing is left of those that misbehave."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest

from jobs.checks.audit import unaudited
from jobs.models import Job, Task
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState
from tests.flows.stack import Stack
from tests.programs.archives import zipped

JOBS = """
import os, sys, time
from pathlib import Path

from switchyard import Job

from shapes.areas import square


def build(arguments, parallelism):
    print("building", arguments)
    job = Job("areas")
    squares = job.stage("squares", python=square, args=[int(arguments[0])], parallelism=parallelism or 1)
    job.stage("sum", python=add, needs=[squares])
    job.stage("text", command=["cat", "words.txt"], files=["words.txt"])
    return job


def add(task):
    return sum(task.inputs["squares"])


def plain(arguments):
    return {"name": "plain", "stages": [{"name": "a", "command": ["echo", *arguments]}], "config": {"x": 6.02e23, "y": -0.0}}


def alone():
    return plain([])


def hang(arguments):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass


def fork(arguments):
    if os.fork() == 0:
        time.sleep(600)
    os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "599")
    return plain(arguments)


def rubbish(arguments):
    return [object()]


def no_json(arguments):
    return {"name": "a", "stages": [{1, 2}]}


def not_valid(arguments):
    return Job("empty")


def large(arguments):
    return {"name": "a", "config": {"text": "x" * 20_000_000}, "stages": []}


def talk(arguments):
    for _ in range(300):
        print("x" * 100_000)
    return plain(arguments)


def fail(arguments):
    raise ValueError("no such city")


def leave(arguments):
    sys.exit(0)


def crash(arguments):
    os.kill(os.getpid(), 9)


number = 3
"""
AREAS = "def square(side):\n    return side * side\n"
FILES: dict[str, str | bytes] = {
    "jobs.py": JOBS,
    "broken.py": "import there_is_no_such_module\n",
    "shapes/__init__.py": "",
    "shapes/areas.py": AREAS,
    "words.txt": "a b c",
}
SECONDS = 10
BAD = {
    "jobs:hang": f"jobs:hang took longer than {SECONDS} s",
    "jobs:rubbish": "jobs:rubbish returned list; it must return a switchyard.Job",
    "jobs:no_json": "no JSON value",
    "jobs:not_valid": "jobs:not_valid returned a job that is not valid: stages",
    "jobs:large": "at most 8,388,608 are accepted",
    "jobs:fail": 'in fail\n    raise ValueError("no such city")',
    "jobs:leave": "left by sys.exit(0)",
    "jobs:crash": "jobs:crash failed (killed)",
    "jobs:number": "the module jobs has no function number",
    "jobs:nothing": "the module jobs has no function nothing",
    "nowhere:build": "the program has no module nowhere",
    "shapes.nowhere:build": "the program has no module shapes.nowhere",
    "broken:build": "No module named 'there_is_no_such_module'",
}


class Programs:
    """The API of programs."""

    def __init__(self, stack: Stack) -> None:
        headers = {"Authorization": f"Token {stack.credentials['token']}"}
        self.client = httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, trust_env=False, timeout=60)
        self.stack = stack
        assert self.client.post("/programs", files={"file": ("a.zip", zipped(FILES))}).status_code == 201

    def ask(self, what: str, entry: str, **call: Any) -> str:
        answer = self.client.post(f"/programs/a.zip/{what}", json={"entry": entry, **call})
        assert answer.status_code == 202, answer.text
        asked: str = answer.json()["id"]
        return asked

    def end(self, operation: str) -> dict[str, Any]:
        """Return an operation when it has ended."""
        path = f"/operations/{operation}"
        self.stack.until(lambda: self.client.get(path).json()["state"] == "COMPLETED", f"operation {operation} ends")
        ended: dict[str, Any] = self.client.get(path).json()
        return ended


@pytest.fixture
def stack(idle: Stack) -> Stack:
    idle.env["SWITCHYARD_PLANNING_SECONDS"] = str(SECONDS)
    idle.start_servers()
    return idle


@pytest.fixture
def programs(stack: Stack) -> Iterator[Programs]:
    made = Programs(stack)
    yield made
    made.client.close()


def test_a_function_describes_a_job_that_runs(stack: Stack, programs: Programs) -> None:
    stack.start_agent("n1")
    run = programs.ask("run", "jobs:build", arguments=["3"], parallelism=4)
    plan = programs.ask("plan", "jobs:plain", arguments=["you"], parallelism=2)
    alone = programs.ask("plan", "jobs:alone", parallelism=2)
    ended = programs.end(run)
    assert ended["failure"] is None, ended
    job = stack.wait(Job.objects.get(number=ended["outcome"]["job"]))
    assert job.state == JobState.FINISHED, (job.error, stack.logs())
    results = dict(
        Task.objects.filter(stage__job=job, stage__name__in=["squares", "sum"]).values_list("stage__name", "result")
    )
    assert results == {"squares": 9, "sum": 36}
    # What the program brings along is not packed once more.
    assert {stage.name: list(stage.spec["files"]) for stage in job.stages.all()} == {
        "squares": [],
        "sum": [],
        "text": ["words.txt"],
    }
    description = programs.end(plan)["outcome"]["description"]
    assert (description["stages"][0]["command"], description["stages"][0]["parallelism"]) == (["echo", "you"], 2)
    assert [type(value) for value in description["config"].values()] == [float, float]
    assert programs.end(alone)["failure"] is None


def test_functions_that_misbehave_fail_by_name_and_leave_nothing(stack: Stack, programs: Programs) -> None:
    agent = stack.start_agent("n1")
    asked = {entry: programs.ask("run", entry) for entry in BAD}
    loud = [programs.ask("plan", entry) for entry in ("jobs:fork", "jobs:talk")]
    failures = {entry: programs.end(operation)["failure"] for entry, operation in asked.items()}
    assert {entry: failure["text"] for entry, failure in failures.items() if BAD[entry] not in failure["text"]} == {}
    assert "python_task" not in str(failures), "only frames of the user's are shown"
    assert "calling.py" not in str(failures)
    assert [programs.end(operation)["failure"] for operation in loud] == [None, None]
    assert not Job.objects.exclude(job_type__name="planning").exists()
    assert all(job.state in JOB_ENDS for job in Job.objects.all())
    left = [each for each in psutil.Process(agent.pid).children(recursive=True) if "sleep" in " ".join(each.cmdline())]
    assert left == []
    size = Task.objects.filter(stage__job__name__contains="jobs:talk").values_list("logs", flat=True)
    assert size[0] is not None


def test_a_function_is_called_again_where_its_agent_was_killed(stack: Stack, programs: Programs) -> None:
    stack.start_agent("n1")
    asked = programs.ask("run", "jobs:hang")
    stack.until(lambda: Task.objects.filter(started_at__isnull=False).exists(), "the function is called")
    stack.kill("n1")
    began = time.monotonic()
    stack.start_agent("n1")
    failure = programs.end(asked)["failure"]
    assert failure is not None
    assert "took longer" in failure["text"], failure
    assert time.monotonic() - began < 60


def test_each_run_makes_one_job_though_its_leader_is_killed(stack: Stack, programs: Programs) -> None:
    stack.start_agent("n1")
    asked = [programs.ask("run", "jobs:plain", arguments=[str(number)]) for number in range(6)]
    stack.until(lambda: Job.objects.filter(name="plain").exists(), "the first job is made")
    stack.kill("scheduler")
    stack.start_scheduler()
    outcomes = [programs.end(operation)["outcome"] for operation in asked]
    made = set(Job.objects.filter(name="plain").values_list("number", flat=True))
    assert {outcome["job"] for outcome in outcomes} == made
    assert len(made) == len(asked)
    assert unaudited() == []


def test_flinks_routes_wait_for_a_function(stack: Stack, programs: Programs) -> None:
    client = httpx.Client(base_url=stack.url, headers=programs.client.headers, trust_env=False, timeout=60)
    with client:
        client.post("/jars/upload", files={"jarfile": ("a.jar", zipped(FILES))})
        run = "/jars/a.jar/run?entry-class=jobs:plain&program-args=you"
        began = time.monotonic()
        early = client.post(run)
        assert (early.status_code, 9 < time.monotonic() - began < 30) == (503, True), "there is no agent"
        stack.start_agent("n1")
        late = client.post(run)
        assert late.status_code == 200, late.text
        job = Job.objects.get(id=late.json()["jobid"])
        assert (job.name, Job.objects.filter(name="plain").count()) == ("plain", 1)
        plan = client.get("/jars/a.jar/plan?entry-class=jobs:build&program-args=3")
        assert {node["description"] for node in plan.json()["plan"]["nodes"]} == {"text", "sum", "squares"}
        failed = client.post("/jars/a.jar/run?entry-class=jobs:fail")
        assert (failed.status_code, "no such city" in failed.json()["errors"][0]) == (400, True)
