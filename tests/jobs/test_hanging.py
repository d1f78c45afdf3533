"""What the watchdog noted of leaders that it ended decides how the next one works, and which job is held."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.commands import control
from jobs.leader import hangs, lease, watchdog
from jobs.leader.loop import Leader
from jobs.models import FailedStep, Job, Lease, Stage
from nodes.models import Event
from switchyard.agent.core.fencing import Fence
from switchyard.agent.network.heartbeats import INTERVAL
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]


@pytest.fixture(autouse=True)
def trusting() -> Iterator[None]:
    """Suspect nothing after the test."""
    yield
    watchdog.suspect(())


def next_leader(leader: Leader) -> Leader:
    Lease.objects.update(expires_at=timezone.now() - timedelta(days=1))
    epoch = lease.take("next")
    assert epoch
    return Leader(epoch)


def held(job: Job) -> bool:
    return Job.objects.get(id=job.id).held_reason != ""


def test_a_leader_that_hangs_is_ended_before_any_agent_ends_its_tasks() -> None:
    """Heartbeats wait at the locks of its transaction, until the process has ended."""
    assert Fence().term > INTERVAL + watchdog.LIMIT + watchdog.NOTING


def test_one_end_holds_nobody_and_is_forgotten(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [job({"a": {}}), job({"b": {}})]
    hangs.note("place", [made[0].id])
    leader = next_leader(leader)
    turn(leader)
    agent.listen()
    assert len(agent.tasks()) == 2
    leader.tick()
    assert FailedStep.objects.count() == 1
    monkeypatch.setattr(hangs, "OVER", 0.0)
    leader.tick()
    assert not FailedStep.objects.exists()
    hangs.note("place", [made[0].id])
    leader = next_leader(leader)
    assert not held(made[0])
    turn(leader, agent.finish(agent.tasks()))


@pytest.mark.parametrize("first", [[], [0]])
def test_a_job_that_ended_the_leader_twice_at_one_step_is_held(
    leader: Leader, agent: ListAgent, job: Submit, first: list[int]
) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    hangs.note("place", [bad.id for _ in first])
    next_leader(leader)
    assert not held(bad)
    hangs.note("place", [bad.id])
    leader = next_leader(leader)
    assert (held(bad), held(good)) == (True, False)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get(id=good.id).state == JobState.FINISHED
    control.release(ANN, bad.id)
    leader.tick()
    leader = next_leader(leader)
    assert not held(bad), "what ended the leader before the job was released counts no more"
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert Job.objects.get(id=bad.id).state == JobState.FINISHED


def test_ends_at_different_steps_or_with_different_jobs_hold_nobody(leader: Leader, job: Submit) -> None:
    one, other = job({"a": {}}), job({"b": {}})
    hangs.note("place", [one.id])
    hangs.note("expire", [one.id])
    hangs.note("place", [other.id])
    hangs.note("dispatch", [])
    hangs.note("dispatch", [])
    next_leader(leader)
    assert not held(one)
    assert not held(other)
    assert Event.objects.filter(kind="leader_hung").count() == 5


def test_a_job_that_is_not_stopped_in_time_is_ended_plainly(leader: Leader, agent: ListAgent, job: Submit) -> None:
    bad = job({"a": {"parallelism": 3}})
    control.cancel(ANN, bad.id)
    for _ in range(2):
        hangs.note("stop", [bad.id])
    next_leader(leader)
    bad.refresh_from_db()
    assert (JobState(bad.state), bad.held_reason) == (JobState.CANCELED, "")


def test_reports_of_a_job_with_whose_reports_the_leader_does_not_end_are_left_out(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    bad, good = job({"a": {}}), job({"b": {}})
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    for items in ([], [Stage.objects.get(job=bad).id]):
        hangs.note("reports", items)
        leader = next_leader(leader)
    turn(leader, agent.finish(tasks))
    assert Job.objects.get(id=good.id).state == JobState.FINISHED
    bad.refresh_from_db()
    assert (JobState(bad.state), held(bad)) == (JobState.CREATED, True)
    control.release(ANN, bad.id)
    leader.tick()
    agent.acknowledged -= 1
    stage = Stage.objects.get(job=bad).id
    turn(leader, agent.finish([(stage, 0, 0)]))
    assert Job.objects.get(id=bad.id).state == JobState.FINISHED


def test_suspected_reports_are_applied_as_others_are(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}, "c": {}})
    hangs.note("reports", [])
    leader = next_leader(leader)
    turn(leader)
    agent.listen()
    while tasks := agent.tasks():
        turn(leader, agent.finish(tasks))
        agent.listen()
    made.refresh_from_db()
    assert made.state == JobState.FINISHED
