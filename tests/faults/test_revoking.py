"""What ends the session of a live agent, with work in flight: it ends that, says so, and all goes elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from access import tokens
from access.models import Token
from access.roles import Role
from jobs.models import Task
from nodes import services
from nodes.models import Event, Node
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack, Watch
from tests.people import ANN

pytestmark = pytest.mark.faults
#: Seconds for which the job waits for silent nodes: here they do not matter.
DISCONNECT_GRACE = 300


def revoke(stack: Stack, token: Token) -> None:
    token.delete()


def expire(stack: Stack, token: Token) -> None:
    Token.objects.filter(id=token.id).update(expires_at=timezone.now())


def deactivate(stack: Stack, token: Token) -> None:
    services.deactivate(ANN, Node.objects.get(name="left").id)


@pytest.mark.parametrize("end", [revoke, expire, deactivate])
def test_work_of_an_agent_that_is_not_trusted_any_more_goes_elsewhere_at_once(
    stack: Stack, watch: Watch, marks: Path, end: Callable[[Stack, Token], None]
) -> None:
    mine = stack.credentials["node_token"]
    token, stack.credentials["node_token"] = tokens.create("left", role=Role.AGENT)
    left = stack.start_agent("left")
    work = {"python": "tests.faults.work:until", "parallelism": 2, "args": [str(marks), str(marks / "enough")]}
    job = stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}}, disconnect_grace=DISCONNECT_GRACE)
    running = Task.objects.filter(state=TaskState.RUNNING)
    stack.until(lambda: running.count() == 2, "the agent runs all tasks")
    stack.credentials["node_token"] = mine
    stack.start_agent("right")
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "the other registers")
    ids = {node.name: node.id for node in Node.objects.all()}
    end(stack, token)
    stack.until(lambda: running.filter(node_id=ids["right"]).count() == 2, "all runs elsewhere", LOST / 2)
    (marks / "enough").touch()
    assert stack.wait(job).state == JobState.FINISHED
    assert Event.objects.filter(kind="node_left", node_id=ids["left"]).count() == 1
    if end is not deactivate:
        assert left.wait(timeout=60) == 3
        assert "does not accept the node token" in (stack.folder / "left.log").read_text()
