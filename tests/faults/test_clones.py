"""A machine is cloned with its agent at work: the clone is refused, the original goes on, and nothing runs twice."""

import subprocess
from pathlib import Path

import pytest

from jobs.models import Attempt, Task
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack, Watch

pytestmark = pytest.mark.faults


def cloned(folder: Path, to: Path) -> Path:
    """Copy an agent's folder so that it does not know that it was copied, as on the disk of a cloned machine.

    There, the processes and control groups of the original do not exist; here they do, and a successor would end them.
    """
    subprocess.run(["cp", "-a", str(folder), str(to)], stderr=subprocess.DEVNULL, check=False)
    (to / "place").write_text(str((to / "identity").stat().st_ino))
    for page in to.glob("workers/*/page"):
        page.unlink()
    return to


def test_a_clone_of_a_live_agent_is_refused_and_the_original_goes_on(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_agent("n1")
    stack.until(lambda: Node.objects.filter(session__gt="").exists(), "the agent registers")
    work = {"python": "tests.faults.work:interval", "parallelism": 6, "args": [str(marks), 6]}
    job = stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}})
    stack.until(lambda: Task.objects.filter(state=TaskState.RUNNING).count() == 2, "the agent runs tasks")
    session = Node.objects.get().session
    clone = cloned(stack.folder / "n1", stack.folder / "clone")
    options = ("--name", "n1", "--data", str(clone), "--server", stack.url, "--slots", "2", "--no-cgroups")
    stack.start("clone", "-m", "switchyard.agent", *options, SWITCHYARD_NODE_TOKEN=stack.credentials["node_token"])
    refused = "Another agent runs as this node since"
    stack.until(lambda: refused in (stack.folder / "clone.log").read_text(), "the clone is refused")
    assert stack.wait(job).state == JobState.FINISHED
    assert Node.objects.get().session == session
    assert not Attempt.objects.exists()


def test_an_agent_that_starts_again_goes_on_in_a_new_session(stack: Stack, watch: Watch, marks: Path) -> None:
    stack.start_agent("n1")
    stack.until(lambda: Node.objects.filter(session__gt="").exists(), "the agent registers")
    work = {"python": "tests.faults.work:interval", "parallelism": 6, "args": [str(marks), 2]}
    job = stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}})
    stack.until(lambda: Task.objects.filter(state=TaskState.RUNNING).count() == 2, "the agent runs tasks")
    session = Node.objects.get().session
    stack.kill("n1")
    stack.start_agent("n1")
    assert stack.wait(job).state == JobState.FINISHED
    assert Node.objects.get().session != session
    assert Attempt.objects.count() <= 2, "what had not begun was kept"
