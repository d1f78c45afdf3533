"""What becomes of failures: another attempt, a failed task, a failed job; and of jobs that people stop."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Attempt, Job, Stage, Task
from nodes.models import NodeResource
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

Submit = Callable[..., Job]
RETRY = {"attempts": 3, "backoff": {"initial": 0, "jitter": 0}}


def placed(leader: Leader, agent: ListAgent) -> list[tuple[int, int, int]]:
    turn(leader)
    agent.listen()
    return agent.tasks()


def the_job() -> tuple[JobState, str]:
    job = Job.objects.order_by("number").last()
    assert job is not None
    return JobState(job.state), job.error


def test_a_failed_task_fails_its_job_and_cancels_the_rest(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})
    tasks = placed(leader, agent)
    turn(leader, agent.fail(tasks[:1], error="ValueError: no"))
    agent.listen()
    assert agent.cancels
    turn(leader, agent.give_back(agent.tasks()))
    assert the_job() == (JobState.FAILED, "task 0 of stage a failed: ValueError: no")
    assert Stage.objects.get(name="b").counts[TaskState.CANCELED] == 1


def test_a_failure_within_the_tolerance_does_not_stop_the_job(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}}, max_failures=1)
    tasks = placed(leader, agent)
    turn(leader, agent.fail(tasks[:1]))
    turn(leader, agent.finish([task for task in agent.tasks() if task[0] == tasks[0][0]]))
    turn(leader, agent.finish(placed(leader, agent)))
    assert the_job()[0] == JobState.FINISHED


def test_a_retried_task_runs_under_a_new_number_and_keeps_the_old_record(
    leader: Leader, agent: ListAgent, job: Submit
) -> None:
    job({"a": {}}, retry=RETRY)
    turn(leader, agent.fail(placed(leader, agent), error="first"))
    assert [attempt for _, attempt, _ in placed(leader, agent)] == [1]
    turn(leader, agent.finish(agent.tasks()))
    assert the_job()[0] == JobState.FINISHED
    assert list(Attempt.objects.values_list("attempt", "error")) == [(0, "first")]
    assert Task.objects.get().attempt == 1


def test_a_task_is_given_up_when_its_attempts_are_used(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}}, retry=RETRY)
    for _ in range(3):
        turn(leader, agent.fail(placed(leader, agent)))
    turn(leader)
    assert the_job()[0] == JobState.FAILED
    assert Attempt.objects.count() == 2


@pytest.mark.parametrize("hours", [0, 1, -1])
def test_a_backoff_keeps_a_task_from_being_placed_until_it_is_over_by_the_database(
    leader: Leader, agent: ListAgent, job: Submit, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """The scheduler's machine may be ahead of the database's, or behind."""
    monkeypatch.setattr(time, "time", lambda ours=time.time: ours() + 3600 * hours)
    job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 60, "jitter": 0}})
    turn(leader, agent.fail(placed(leader, agent)))
    due = Task.objects.get().not_before
    assert due is not None
    assert abs(due - timezone.now() - timedelta(seconds=60)) < timedelta(seconds=30)
    assert placed(leader, agent) == []
    Task.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    Stage.objects.update(next_due=timezone.now() - timedelta(seconds=1))
    leader.tick()
    assert [attempt for _, attempt, _ in placed(leader, agent)] == [1]
    turn(leader, agent.finish(agent.tasks()))


def test_a_job_repeats_the_last_whole_lines_of_a_long_error(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    error = "Traceback:\n" + "  a line of it\n" * 100 + "ValueError: no"
    turn(leader, agent.fail(placed(leader, agent), error=error))
    first, *shown = the_job()[1].splitlines()
    assert first == "task 0 of stage a failed: …"
    assert set(shown[:-1]) == {"  a line of it"}
    assert shown[-1] == "ValueError: no"


def test_a_job_repeats_how_a_long_message_begins(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    frames = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n  File "a.py", line 2, in g\n    h()\n'
    )
    turn(
        leader,
        agent.fail(placed(leader, agent), error=f"{frames}ValueError: it begins\n  {'x' * 1000}\n[9 characters left out]"),
    )
    assert the_job()[1].startswith("task 0 of stage a failed: …\nValueError: it begins\n  xxx")
    assert the_job()[1].endswith("xxx…")


def test_a_callable_that_does_not_load_fails_the_job_at_once(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {"parallelism": 2}}, retry=RETRY, max_failures=100)
    tasks = placed(leader, agent)
    turn(leader, agent.fail(tasks[:1], "unloadable", error="No module named 'nope'"))
    turn(leader, agent.give_back(agent.tasks()))
    assert the_job() == (JobState.FAILED, "task 0 of stage a failed: No module named 'nope'")


def test_a_callable_that_does_not_load_anywhere_fails_one_task_alone(leader: Leader, agent: ListAgent, job: Submit) -> None:
    others = [ListAgent(agent.broker, name) for name in ("n2", "n3")]
    job({"a": {"parallelism": 6}}, retry=RETRY, max_failures=100)
    turn(leader)
    first, *rest = agents = [agent, *others]
    for each in agents:
        each.listen()
        assert len(each.tasks()) == 2
    turn(leader, first.fail(first.tasks(), "unloadable", error="No module named 'nope'"))
    turn(leader, *(each.fail(each.tasks()[:1], "unloadable", error="nor here") for each in rest))
    turn(leader, *(each.give_back(each.tasks()) for each in rest))
    assert the_job() == (JobState.FAILED, "task 0 of stage a failed: No module named 'nope'")
    assert Job.objects.get().failures == 1
    failed = Task.objects.filter(state=TaskState.FAILED)
    assert [(task.index, task.failures) for task in failed] == [(0, 1)]
    assert Task.objects.filter(state=TaskState.CANCELED).count() == 5
    assert violations() == []


def test_a_report_of_an_older_attempt_changes_nothing(leader: Leader, agent: ListAgent, job: Submit) -> None:
    job({"a": {}}, retry=RETRY)
    old = placed(leader, agent)
    turn(leader, agent.fail(old))
    placed(leader, agent)
    turn(
        leader,
        agent.report(others=[agent.end(old[0], outcome="FINISHED", result="1")]),
        agent.finish(old, "2"),
    )
    assert Task.objects.get().state == TaskState.SCHEDULED
    turn(leader, agent.finish(agent.tasks(), "3"))
    assert Task.objects.get().result == 3


def test_a_canceled_job_ends_when_its_agents_have_confirmed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 5000}})
    tasks = placed(leader, agent)
    turn(leader, agent.start(tasks[:1]))
    control.cancel(ANN, submitted.id)
    turn(leader)
    assert the_job()[0] == JobState.CANCELING
    agent.listen()
    assert len(agent.cancels[0][2]) == 1
    running, rest = tasks[:1], tasks[1:]
    turn(leader, agent.give_back(rest))
    turn(leader, agent.report(others=[agent.end(running[0], outcome="CANCELED")]))
    assert the_job() == (JobState.CANCELED, "canceled by ann")
    assert NodeResource.objects.get(name="cpus").held == 0


def test_a_cancel_is_said_again_until_it_is_confirmed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}})
    placed(leader, agent)
    control.cancel(ANN, submitted.id)
    turn(leader)
    agent.listen()
    agent.cancels.clear()
    leader.tick()
    agent.listen()
    assert agent.cancels
    turn(leader, agent.give_back(agent.tasks()))


def test_retrying_a_job_reuses_what_had_finished(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})
    tasks = placed(leader, agent)
    stage = tasks[0][0]
    turn(leader, agent.finish([task for task in tasks if task[0] == stage], "5"))
    turn(leader, agent.fail(agent.tasks()))
    turn(leader)
    assert the_job()[0] == JobState.FAILED
    again = Job.objects.get(id=submissions.retry(submitted.id))
    assert again.retried_from_id == submitted.id
    assert [(index) for _, _, index in placed(leader, agent)] == [0]
    turn(leader, agent.finish(agent.tasks()))
    assert the_job()[0] == JobState.FINISHED


def test_a_live_job_is_neither_deleted_nor_retried(leader: Leader, agent: ListAgent, job: Submit) -> None:
    submitted = job({"a": {}})
    with pytest.raises(control.StillLive):
        control.delete(ANN, submitted.id)
    with pytest.raises(control.StillLive):
        submissions.retry(submitted.id)
    turn(leader, agent.finish(placed(leader, agent)))
    control.delete(ANN, submitted.id)
    assert not Task.objects.exists()
    assert not Job.objects.exists()


def test_a_job_that_waits_too_long_fails(leader: Leader, job: Submit) -> None:
    job({"a": {}}, timeouts={"queue": 5})
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    leader.tick()
    turn(leader)
    assert the_job() == (JobState.FAILED, "the job waited longer than its queue timeout")
