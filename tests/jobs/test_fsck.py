"""What `manage.py fsck` finds: each test breaks one thing in the database, as only a fault can, and looks for it."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.leading import Leader
from jobs.models import Attempt, Job, Task
from nodes import services
from nodes.models import Condition, Node
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]


def fsck() -> str:
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("fsck", stderr=told)
    return told.getvalue()


@pytest.fixture
def ended(leader: Leader, agent: ListAgent, job: Submit) -> Job:
    """Give a job of one task that failed once, two minutes ago, and finished."""
    made = job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    call_command("fsck", stdout=StringIO())
    for model in (Task, Attempt):
        for row in model.objects.all():
            times = {name: getattr(row, name) - timedelta(minutes=2) for name in ("scheduled_at", "started_at", "ended_at")}
            model.objects.filter(stage_id=row.stage_id, index=row.index).update(**times)
    Job.objects.update(ended_at=timezone.now() - timedelta(minutes=2))
    call_command("fsck", stdout=StringIO())
    return made


@pytest.mark.parametrize(
    ("model", "broken", "said"),
    [
        (Attempt, {"ended_at": None}, "I4"),
        (Attempt, {"attempt": 7}, "I3 attempt numbers grow"),
        (Task, {"ended_at": None}, "I3 what a state says"),
        (Task, {"logs": {"stdout": {"bytes": 5}}}, "I15"),
        (Task, {"inputs": 5}, "I7 a task was handed"),
    ],
)
def test_what_breaks_is_found(ended: Job, model: Any, broken: dict[str, Any], said: str) -> None:
    before = dict(model.objects.values(*broken).get())
    model.objects.update(**broken)
    assert said in fsck()
    model.objects.update(**before)


def test_what_began_after_its_node_was_paused_is_found(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    services.pause(agent.node, "disk")
    leader.tick()
    agent.listen()
    turn(leader, agent.report())
    call_command("fsck", stdout=StringIO())
    Node.objects.update(settled_at=timezone.now() - timedelta(hours=1))
    Task.objects.update(started_at=timezone.now())
    assert "I10" in fsck()
    Node.objects.update(settled_at=timezone.now())
    turn(leader, agent.finish(agent.tasks()))


def test_an_agent_that_does_not_have_its_tasks_is_found(leader: Leader, agent: ListAgent) -> None:
    now = timezone.now()
    Condition.objects.create(node_id=agent.node, name="differs", kind="error", title="t", started_at=now, updated_at=now)
    assert "I2 agents have what stands on their lists: n1" in fsck()
