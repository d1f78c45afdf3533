"""Events: what happens to jobs and nodes is told once, in few rows, whatever the number of tasks."""

from collections.abc import Callable
from datetime import timedelta

import redis
from django.utils import timezone

from jobs.commands import control as job_services
from jobs.leader import lease, lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Job
from nodes import services
from nodes.models import Event, Node
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]
AGAIN = {"attempts": 2, "backoff": {"initial": 0, "jitter": 0}}


def kinds(job: Job | None = None) -> list[str]:
    return list(Event.objects.filter(job_id=job.id if job else None).order_by("id").values_list("kind", flat=True))


def text(kind: str) -> str:
    return Event.objects.get(kind=kind).text


def placed(leader: Leader, agent: ListAgent) -> list[tuple[int, int, int]]:
    turn(leader)
    agent.listen()
    return agent.tasks()


def test_a_job_that_finishes_is_told_of_in_a_few_rows(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 500}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}})
    while not Job.objects.get().ended_at:
        turn(leader, agent.finish(placed(leader, agent)))
    told = kinds(submitted)
    assert told[:2] == ["job_submitted", "stage_finished"] or told[:2] == ["job_submitted", "job_started"]
    assert {*told} == {"job_submitted", "job_started", "stage_finished", "job_finished"}
    assert told[-1] == "job_finished"
    assert len(told) <= 6


def test_failures_are_counted_by_stage_and_cause(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 2}}, retry=AGAIN)
    turn(leader, agent.fail(placed(leader, agent), "timeout"))
    turn(leader, agent.fail(placed(leader, agent), error="ValueError: no"))
    turn(leader)
    assert text("task_retried") == "2 tasks of stage a failed and will be tried again: timeout."
    assert text("task_failed") == "2 tasks of stage a failed: user_error."
    assert text("stage_failed") == "Stage a failed."
    assert "ValueError: no" in text("job_failing")
    assert kinds(submitted)[-1] == "job_failed"


def test_a_canceled_job_says_by_whom(leader: Leader, job: Submit) -> None:
    submitted = job({"a": {"resources": {"cpus": 64}}})
    job_services.cancel(ANN, submitted.id)
    turn(leader)
    assert kinds(submitted) == ["job_submitted", "job_canceling", "stage_canceled", "job_canceled"]
    assert text("job_canceling") == "The job was canceled by ann."


def test_a_node_that_falls_silent_and_is_lost_is_told_of_once(
    leader: Leader, agent: ListAgent, broker: redis.Redis, job: Submit
) -> None:
    submitted = job({"a": {"parallelism": 2}})
    turn(leader, agent.start(placed(leader, agent)))
    for seconds in (31, 32, 0, 61, 62):
        Node.objects.update(heard_at=timezone.now() - timedelta(seconds=seconds))
        lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    of_node = Event.objects.filter(node_id=agent.node, job_id=None).order_by("id").values_list("kind", flat=True)
    assert list(of_node) == ["node_registered", "node_silent", "node_back", "node_silent", "node_lost"]
    assert text("task_lost") == "2 tasks of stage a went down with the node and will be tried again."
    other = ListAgent(broker, "n2")
    turn(leader, other.finish(placed(leader, other)))
    assert kinds(submitted)[-1] == "job_finished"


def test_what_people_do_to_the_cluster_is_told(leader: Leader, agent: ListAgent) -> None:
    services.change_scheduler(ANN, paused=True, pause_reason="dust")
    services.change_scheduler(ANN, paused=False)
    services.pause(ANN, agent.node, "smoke")
    services.drain(ANN, agent.node, "fire")
    services.resume(ANN, agent.node)
    told = ["scheduler_paused", "scheduler_resumed", "node_paused", "node_drained", "node_resumed"]
    assert kinds() == ["lease_taken", "node_registered", *told]
    assert text("node_paused") == "The node was paused: smoke"


def test_whoever_takes_the_lease_is_told(leader: Leader) -> None:
    lease.release(leader.epoch)
    epoch = lease.take("other")
    assert lease.take("third") is None
    assert Event.objects.filter(kind="lease_taken").count() == 2
    assert Event.objects.latest("id").text == f"other leads from now on, in epoch {epoch}."


def test_a_deleted_job_takes_its_events_with_it(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}})
    turn(leader, agent.finish(placed(leader, agent)))
    job_services.delete(ANN, submitted.id)
    assert kinds(submitted) == []
