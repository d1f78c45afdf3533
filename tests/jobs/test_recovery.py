"""What the leader does about nodes that are silent, gone, paused or back, and about leaders that are not alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.commands import control as job_services
from jobs.leader import lease, lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Assignment, Attempt, Job, Stage, Task
from nodes import generations, reading, services
from nodes.models import Condition, Node
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.lifecycle.apply_reports import GIVEN_BACK
from switchyard.scheduling.lifecycle.records import LeaseLost
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.jobs.clocks import SetClock
from tests.people import ANN

Submit = Callable[..., Job]


def silent_for(leader: Leader, seconds: float, name: str = "n1") -> None:
    Node.objects.filter(name=name).update(heard_at=timezone.now() - timedelta(seconds=seconds))
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)


def test_tasks_of_a_silent_node_are_reconciling_until_it_is_heard(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:1]))
    silent_for(leader, 31)
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RECONCILING}
    silent_for(leader, 0)
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RUNNING, TaskState.SCHEDULED}
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_tasks_are_no_longer_reconciling_when_the_agent_goes_on_with_its_session(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:1]))
    silent_for(leader, 31)
    assert agent.go_on()
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RUNNING, TaskState.SCHEDULED}
    assert Node.objects.get().silent_since is None
    turn(leader, agent.start(agent.tasks()[1:]))
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RUNNING}
    turn(leader, agent.finish(agent.tasks()))


def test_a_lost_node_frees_what_it_held_and_its_tasks_are_placed_elsewhere(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:1]))
    silent_for(leader, 61)
    assert not Assignment.objects.exists()
    other = ListAgent(broker, "n2")
    turn(leader)
    other.listen()
    assert [attempt for _, attempt, _ in other.tasks()] == [1, 1]
    assert list(Attempt.objects.values_list("exit_class", flat=True)) == ["lost", "lost"]
    turn(leader, agent.finish(agent.tasks(), "1"))
    turn(leader, other.finish(other.tasks(), "2"))
    assert list(Task.objects.values_list("result", flat=True)) == [2, 2]


def test_a_job_may_wait_longer_for_a_silent_node_than_others(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    job({"patient": {}}, disconnect_grace=600)
    job({"hasty": {}})
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    silent_for(leader, 61)
    other = ListAgent(broker, "n2")
    turn(leader)
    other.listen()
    states = dict(Task.objects.values_list("stage__name", "state"))
    assert states == {"patient": TaskState.RECONCILING, "hasty": TaskState.SCHEDULED}
    silent_for(leader, 614)
    assert Node.objects.get(id=agent.node).session == agent.session
    silent_for(leader, 0)
    assert Task.objects.get(stage__name="patient").state == TaskState.RUNNING
    turn(leader, agent.finish(agent.tasks()), other.finish(other.tasks(), "2"))
    assert list(Task.objects.values_list("attempt", flat=True).order_by("stage")) == [0, 1]
    assert not Job.objects.exclude(state=JobState.FINISHED).exists()


def test_a_job_does_not_wait_for_a_silent_node_past_its_grace(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}}, disconnect_grace=600)
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    silent_for(leader, 616)
    assert Task.objects.get().state == TaskState.CREATED
    assert Node.objects.get().session == ""


def test_a_new_session_of_its_node_ends_the_wait_for_the_old_one(leader: Leader, broker: redis.Redis, job: Submit) -> None:
    agent = ListAgent(broker, folder="its own")
    job({"a": {}}, disconnect_grace=600)
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    silent_for(leader, 100)
    new = ListAgent(broker, folder="its own")
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    turn(leader)
    new.listen()
    assert [attempt for _, attempt, _ in new.tasks()] == [1]
    turn(leader, new.finish(new.tasks()))


def test_nobody_else_takes_the_name_of_a_node_that_is_waited_for(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    job({"a": {}}, disconnect_grace=600)
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    silent_for(leader, 614)
    with pytest.raises(generations.NameTaken):
        ListAgent(broker, folder="another")
    silent_for(leader, 616)
    new = ListAgent(broker, folder="another")
    turn(leader)
    new.listen()
    turn(leader, new.finish(new.tasks()))


def test_agents_are_told_how_long_a_job_waits_for_them(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"patient": {}}, disconnect_grace=600)
    job({"hasty": {}})
    turn(leader)
    agent.listen()
    assert {told["name"]: told.get("disconnect_grace") for told in agent.stages.values()} == {"patient": 600, "hasty": None}
    turn(leader, agent.finish(agent.tasks()))


def test_a_node_that_leaves_gets_nothing_more(leader: Leader, agent: ListAgent, job: Submit) -> None:
    lost_nodes.hear([(agent.node, agent.session, '{"leaving": true}')])
    job({"a": {}})
    turn(leader)
    agent.listen()
    assert agent.tasks() == []
    assert reading.node(str(agent.node))["state"] == "LEAVING"  # type: ignore[index]


def test_what_a_node_held_goes_elsewhere_as_soon_as_it_has_left(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}}, disconnect_grace=600)
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    lost_nodes.hear([(agent.node, agent.session, '{"leaving": true, "left": true}')])
    lost_nodes.hear([(agent.node, agent.session, '{"leaving": true}')])
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    assert Task.objects.get().state == TaskState.CREATED
    assert Node.objects.get().session == ""
    assert violations() == []


def test_a_leader_that_could_not_listen_gives_every_node_its_time_again(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    job({"a": {}})
    turn(leader)
    Node.objects.update(heard_at=timezone.now() - timedelta(seconds=500))
    lost_nodes.watch_nodes(listening=5, epoch=leader.epoch)
    assert Node.objects.get().silent_since is None
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))


def test_an_agent_that_starts_anew_loses_what_its_old_session_had(leader: Leader, broker: redis.Redis, job: Submit) -> None:
    old = ListAgent(broker, folder="its own")
    job({"a": {}})
    turn(leader)
    Node.objects.update(heard_at=timezone.now() - timedelta(seconds=31))
    new = ListAgent(broker, folder="its own", last=old.secret)
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    turn(leader)
    new.listen()
    assert [attempt for _, attempt, _ in new.tasks()] == [1]
    turn(leader, new.finish(new.tasks()))


def test_a_second_live_agent_of_the_same_name_is_refused(leader: Leader, agent: ListAgent, broker: redis.Redis) -> None:
    with pytest.raises(generations.NameTaken):
        ListAgent(broker)


def test_what_is_not_confirmed_is_sent_again_under_a_new_number(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    job({"a": {}})
    turn(leader)
    broker.flushdb()
    leader.dispatcher.resend(1e18, {}, {})
    commands = agent.listen()
    assert len(commands[-1].launches) == 1
    turn(leader, agent.finish(agent.tasks()))


def test_a_new_leader_fences_the_old_one(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    lease.release(leader.epoch)
    assert lease.take("other") == leader.epoch + 1
    with pytest.raises(LeaseLost):
        turn(leader)
    assert Task.objects.get().state == TaskState.CREATED


def test_a_heartbeat_is_noted_and_acknowledged(leader: Leader, agent: ListAgent) -> None:
    leader.turn([Heartbeat(agent.node, agent.session, 7, {"load": 1})])
    assert agent.listen()[-1].heartbeat == 7
    assert Node.objects.get().figures == {"load": 1}


def test_nothing_is_placed_while_the_scheduler_is_paused(leader: Leader, agent: ListAgent, job: Submit) -> None:
    services.change_scheduler(ANN, paused=True, pause_reason="maintenance")
    job({"a": {}})
    turn(leader)
    assert Task.objects.get().state == TaskState.CREATED
    services.change_scheduler(ANN, paused=False)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))


def test_a_paused_node_gives_back_what_has_not_begun(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    services.pause(ANN, agent.node, "disk")
    leader.tick()
    agent.listen()
    assert agent.pause == Node.objects.get().pause_epoch
    turn(leader, agent.give_back(agent.tasks()))
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.CREATED}
    assert Node.objects.get().confirmed_pause == agent.pause
    services.resume(ANN, agent.node)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))


def test_a_launch_says_under_which_pause_it_was_placed_however_late_it_is_sent(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    job({"a": {"parallelism": 2}})
    clock = SetClock()
    clock.stopped = clock.monotonic()  # Nothing is sent again.
    leader = Leader(leader.epoch, clock=clock)
    turn(leader)
    broker.flushdb()
    services.pause(ANN, agent.node, "disk")
    leader.tick()
    clock.stopped = None
    agent.listen()
    assert agent.tasks() == []
    turn(leader, agent.report())
    assert Node.objects.get().confirmed_pause == agent.pause > 0, "it is paused, and has not heard of two tasks"
    leader.dispatcher.send_all()
    agent.listen()
    assert {launch.pause for launch in agent.launches.values()} == {0}, "so that the agent returns them"
    turn(leader, agent.give_back(agent.tasks()))
    services.resume(ANN, agent.node)
    turn(leader)
    agent.listen()
    assert {launch.pause for launch in agent.launches.values() if launch.ranges} == {agent.pause + 1}
    turn(leader, agent.finish(agent.tasks()))


def test_a_job_type_that_is_paused_waits(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}}, type="nightly")
    job_services.set_job_type(ANN, "nightly", "1", paused=True)
    turn(leader)
    assert Task.objects.get().state == TaskState.CREATED
    job_services.set_job_type(ANN, "nightly", "1", paused=False)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    submitted.refresh_from_db()
    assert submitted.state == JobState.FINISHED


def test_a_chain_that_is_lost_in_its_middle_runs_again_in_its_order(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}})
    turn(leader)
    agent.listen()
    first, second, third = agent.tasks()
    lost = [agent.end(task, outcome="FAILED", **{"class": "lost"}) for task in (first, second)]
    agent.forget([first, second, third])
    turn(leader, agent.report(others=lost, returns=[[third[0], 0, [[0, 1]]]]))
    agent.listen()
    assert agent.tasks() == [(first[0], 1, 0), (second[0], 1, 0)]
    while tasks := agent.tasks():
        turn(leader, agent.finish(tasks[:1]))
        agent.listen()
    submitted.refresh_from_db()
    assert submitted.state == JobState.FINISHED


def test_nothing_is_placed_on_a_node_whose_agent_does_not_reach_redis_until_it_does(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    services.hear(agent.node, agent.session, {"broker": "away"})
    job({"a": {}})
    turn(leader)
    assert Task.objects.get().state == TaskState.CREATED
    refusal = Stage.objects.get().refusal
    assert refusal
    assert refusal["reasons"] == [{"why": "unavailable", "nodes": 1, "detail": "cut off from Redis"}]
    leader.turn([Heartbeat(agent.node, agent.session, 1, {})])
    leader.tick()
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_an_agent_is_not_told_that_it_is_heard_when_its_node_has_another_session(leader: Leader, agent: ListAgent) -> None:
    leader.turn([Heartbeat(agent.node, agent.session, 1, {})])
    assert [command.heartbeat for command in agent.listen()] == [1]
    # As by a request to register that was given up by the agent, and then answered late.
    Node.objects.update(session="another")
    leader.turn([Heartbeat(agent.node, agent.session, 2, {})])
    assert agent.listen() == []


def test_nothing_is_placed_on_a_node_that_cannot_run_tasks_until_it_can(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    leader.turn([Heartbeat(agent.node, agent.session, 1, {"fault": "disk full: 0 of 24 MB free in /data"})])
    condition = Condition.objects.get()
    assert (condition.kind, condition.title) == ("error", "The agent cannot run tasks")
    assert condition.description == "disk full: 0 of 24 MB free in /data"
    job({"a": {}})
    turn(leader)
    assert Task.objects.get().state == TaskState.CREATED
    refusal = Stage.objects.get().refusal
    assert refusal
    assert refusal["reasons"] == [{"why": "unavailable", "nodes": 1, "detail": "disk full"}]
    leader.turn([Heartbeat(agent.node, agent.session, 2, {})])
    assert not Condition.objects.exists()
    leader.tick()
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED


def test_a_task_that_is_given_back_though_it_had_begun_is_lost(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    first, second = agent.tasks()
    turn(leader, agent.start([first]))
    assert Task.objects.get(index=first[2]).state == TaskState.RUNNING
    turn(leader, agent.give_back([first, second]))
    lost, returned = Task.objects.order_by("index")
    assert (lost.attempt, returned.attempt) == (1, 0)
    assert Attempt.objects.get().error == GIVEN_BACK
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get().state == JobState.FINISHED
