"""Functions of programs from the command line and from Python: waited for, then as any other entry point."""

import json
from pathlib import Path

import pytest

from switchyard import Client, OperationFailed
from tests.programs.archives import zipped
from tests.switchyard.stacks import Running

JOBS = """
from switchyard import Job

def build(arguments, parallelism):
    job = Job("built")
    job.stage("square", python=square, args=[int(arguments[0])], parallelism=parallelism or 1)
    return job

def square(side):
    return side * side

def fail():
    raise ValueError("no such city")
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "built.zip"
    path.write_bytes(zipped({"jobs.py": JOBS, "switchyard.yaml": "jobs: {built: {entry: 'jobs:build'}}"}))
    return path


def test_a_function_is_run_from_the_command_line(stack: Running, archive: Path) -> None:
    stack.switchyard("programs", "upload", archive)
    ran = stack.command("run", "built.zip", "--entry", "jobs:build", "-p", "2", "--wait", "--json", "--", "3")
    assert ran.returncode == 0, ran.stderr
    assert "An agent calls jobs:build" in ran.stderr
    told = json.loads(ran.stdout)
    assert (told["name"], told["results"]) == ("built", {"square": [9, 9]})
    planned = json.loads(stack.switchyard("programs", "plan", "built.zip", "--", "4"))
    assert planned["stages"][0]["args"] == [4]


def test_a_function_that_fails_is_told_with_its_traceback(stack: Running, archive: Path) -> None:
    stack.switchyard("programs", "upload", archive)
    for command in (("run",), ("programs", "plan")):
        ran = stack.command(*command, "built.zip", "--entry", "jobs:fail")
        assert (ran.returncode, ran.stdout) == (1, "")
        assert 'raise ValueError("no such city")' in ran.stderr
    told = json.loads(stack.switchyard("run", "built.zip", "--entry", "jobs:fail", "--json", status=1))
    assert "no such city" in told["failure"]["text"]


def test_a_function_is_run_from_python(client: Client, archive: Path) -> None:
    client.upload_program(archive)
    job = client.run_program("built.zip", entry="built", arguments=["5"], parallelism=2)
    assert client.wait(job.id).is_finished
    assert client.results(job.id).results == {"square": (25, 25)}
    assert client.plan_program("built.zip", arguments=["6"])["stages"][0]["args"] == [6]
    with pytest.raises(OperationFailed, match="no such city"):
        client.run_program("built.zip", entry="jobs:fail")
