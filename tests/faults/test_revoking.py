"""A node's token is revoked with work in flight: its agent ends what it runs, the rest goes elsewhere, nothing runs twice."""

from pathlib import Path

import pytest

from access import tokens
from access.roles import Role
from jobs.models import Task
from nodes.models import Node
from scheduling.lifecycle import JobState, TaskState
from tests.flows.stack import Stack, Watch

pytestmark = pytest.mark.faults


def test_work_of_an_agent_whose_token_is_revoked_goes_elsewhere(stack: Stack, watch: Watch, marks: Path) -> None:
    token, secret = tokens.create("left", role=Role.AGENT)
    stack.start_agent("right")
    stack.credentials["node_token"] = secret
    left = stack.start_agent("left")
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    work = {"python": "tests.faults.work:interval", "parallelism": 8, "args": [str(marks), 30]}
    job = stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}})
    running = Task.objects.filter(state=TaskState.RUNNING, node_id=Node.objects.get(name="left").id)
    stack.until(lambda: running.count() == 2, "the agent runs tasks")
    token.delete()
    stack.until(lambda: not running.exists(), "it is not heard any more")
    assert stack.wait(job, patience=240).state == JobState.FINISHED
    assert left.wait(timeout=60) == 3
    assert "does not accept the node token" in (stack.folder / "left.log").read_text()
