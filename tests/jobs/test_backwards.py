"""A database that forgot what agents know of: it lost its last commits, was restored, or its clock was set."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.leader import clocks, incarnation
from jobs.leader.loop import Leader
from jobs.models import Attempt, Checkpoint, Job, Lease, Stage, Task
from jobs.store.checkpoints import CHECKPOINTS
from nodes import services
from nodes.models import Event, Node
from switchyard.leader.database_clock import DatabaseClock
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.jobs.checkpointing import ask, begin
from tests.jobs.clocks import SetClock
from tests.jobs.test_reconciling import beat

Submit = Callable[..., Job]


def goes_on_in_a_new_session(leader: Leader, agent: ListAgent) -> None:
    """Let the agent be refused and begin a new session, in which all is done that was not."""
    refused = agent.session
    assert not services.hear(agent.node, refused, {})
    assert not agent.go_on(info={"agent": "a"})
    agent.number, agent.seen, agent.launches = 0, 0, {}
    leader.tick()
    for _ in range(3):
        turn(leader)
        agent.listen()
        if tasks := agent.tasks():
            turn(leader, agent.finish(tasks))
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.FINISHED}


def named(agent: ListAgent) -> None:
    Node.objects.filter(id=agent.node).update(info={"agent": "a"})


def test_a_gap_in_the_numbers_of_reports_that_stays_ends_the_session(leader: Leader, agent: ListAgent, job: Submit) -> None:
    named(agent)
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = agent.tasks()
    turn(leader, agent.start([first]))
    Node.objects.update(last_report=0)
    turn(leader, agent.finish([second]))
    leader.tick()
    assert not Node.objects.get().refused, "what is missing may be on its way"
    leader._gaps.step(patience=0)
    assert "reports are missing" in Event.objects.get(kind="node_refused").text
    goes_on_in_a_new_session(leader, agent)


def test_a_gap_that_closes_ends_nothing(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = (agent.finish([task]) for task in agent.tasks())
    turn(leader, second)
    turn(leader, first, second)
    leader._gaps.step(patience=0)
    assert not Node.objects.get().refused
    assert Job.objects.get().state == JobState.FINISHED


def test_an_agent_that_knows_of_a_later_epoch_begins_a_new_session(leader: Leader, agent: ListAgent, job: Submit) -> None:
    named(agent)
    job({"a": {}})
    turn(leader)
    agent.listen()
    leader.turn([beat(agent, command=leader.epoch << 32 | 5)])
    assert not Node.objects.get().refused
    leader.turn([beat(agent, command=(leader.epoch + 1) << 32)])
    assert "later epoch" in Event.objects.get(kind="node_refused").text
    goes_on_in_a_new_session(leader, agent)


def test_after_a_restore_all_agents_begin_new_sessions(leader: Leader, agent: ListAgent, job: Submit) -> None:
    named(agent)
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    call_command("restored")
    assert Lease.objects.get().epoch > leader.epoch
    Lease.objects.update(epoch=leader.epoch, expires_at=timezone.now() + timedelta(hours=1))
    goes_on_in_a_new_session(leader, agent)


def test_a_copy_that_was_put_back_is_recognised(leader: Leader, agent: ListAgent, job: Submit) -> None:
    named(agent)
    stage = job({"a": {"parallelism": 2}}).stages.get().id
    turn(leader)
    agent.listen()
    assert not incarnation.recognise()
    Lease.objects.update(identity="another database")
    with pytest.raises(LeaseLost):
        Leader(leader.epoch)
    assert not incarnation.recognise(), "it is the database from now on"
    assert Lease.objects.get().epoch == leader.epoch + incarnation.LEAP
    assert "was restored" in Event.objects.get(kind="node_refused").text
    later = job({"a": {}})
    assert later.stages.get().id > stage + incarnation.LEAP
    later.delete()
    Lease.objects.update(epoch=leader.epoch, expires_at=timezone.now() + timedelta(hours=1))
    goes_on_in_a_new_session(leader, agent)


def test_no_backoff_is_longer_because_the_clock_of_the_database_was_set(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    clock = SetClock()
    leader._database_clock = DatabaseClock(clock, clocks.read, clocks.move)
    job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 3600, "max": 3600, "jitter": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    leader.tick()
    # It is set back by two hours: what was due in one is due in one, and not in three.
    clock.ahead = 7200.0
    leader.tick()
    for due in (Stage.objects.get().next_due, Task.objects.get().not_before):
        assert due is not None
        assert -3700 < (due - timezone.now()).total_seconds() < -3500
    assert violations() == []


def test_checkpoints_end_and_begin_in_time_though_the_clock_of_the_database_was_set(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    clock = SetClock()
    leader._database_clock = DatabaseClock(clock, clocks.read, clocks.move)
    leader.tick()
    made = job({"a": {}}, checkpoint={"interval": 60, "timeout": 10})
    ask(made, begin(leader, agent))
    # It is set back by two hours: what began then began in two hours from now.
    clock.ahead, hours = 7200.0, timedelta(hours=2)
    Job.objects.update(started_at=F("started_at") + hours)
    Checkpoint.objects.update(triggered_at=F("triggered_at") + hours)
    leader.tick()
    opened = Checkpoint.objects.get()
    assert abs((opened.triggered_at - timezone.now()).total_seconds()) < 60
    Checkpoint.objects.update(triggered_at=F("triggered_at") - timedelta(seconds=70))
    leader.checkpoint()
    assert "not answered within 10 s" in Checkpoint.objects.get(id=opened.id).failure
    later = timezone.now() + hours
    Checkpoint.objects.update(triggered_at=later, ended_at=later)
    assert [each.job for each in CHECKPOINTS.due(timezone.now().timestamp())] == [made.id]


def test_no_node_is_silent_because_the_clock_of_the_database_was_set(leader: Leader, agent: ListAgent) -> None:
    clock = SetClock()
    leader._database_clock = DatabaseClock(clock, clocks.read, clocks.move)
    leader._listening_since -= 1000
    leader._turned = time.monotonic()
    leader.tick()
    # It goes on by 70 s, of which this process has seen none.
    clock.ahead = -70.0
    Node.objects.update(heard_at=timezone.now() - timedelta(seconds=70))
    leader.tick()
    node = Node.objects.get()
    assert (node.silent_since, node.session) == (None, agent.session)
    # And back again: a node that is silent is seen to be.
    clock.ahead = 0.0
    Node.objects.update(heard_at=timezone.now() + timedelta(seconds=70 - 35))
    leader.tick()
    assert Node.objects.get().silent_since is not None


def test_attempts_from_before_and_after_the_clock_was_set_back_are_not_compared(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    Attempt.objects.update(ended_at=F("ended_at") + timedelta(seconds=60))
    assert [each.invariant for each in violations()] == ["I4 an attempt begins after the one before it has ended"]
    clock = SetClock()
    leader._database_clock = DatabaseClock(clock, clocks.read, clocks.move)
    leader._database_clock.follow()
    clock.ahead = 60.0
    leader._database_clock.follow()
    assert violations() == []
    text = Event.objects.get(kind="clock_set").text
    assert text.startswith("The database's clock was set back by 60.")
