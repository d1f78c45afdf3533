"""Jobs that are suspended: nothing of them runs until they are resumed, and what finished before stands."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.checks.invariants import violations
from jobs.commands import control
from jobs.leader import deadlines
from jobs.leader.loop import Leader
from jobs.models import Assignment, Attempt, Job, Stage, Task
from nodes.models import Event
from switchyard.scheduling.lifecycle.states import Intent, JobState, TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA

Submit = Callable[..., Job]
Tasks = list[tuple[int, int, int]]


def placed(leader: Leader, agent: ListAgent) -> Tasks:
    turn(leader)
    agent.listen()
    return agent.tasks()


def suspend(leader: Leader, agent: ListAgent, job: Job) -> Tasks:
    """Suspend a job, and return what the agent is told to end."""
    control.suspend(ADA, job.id, "for the night")
    turn(leader)
    return sorted(
        {
            (stage, attempt, index)
            for command in agent.listen()
            for stage, attempt, ranges, save in command.cancels
            if save
            for low, high in ranges
            for index in range(low, high)
        }
    )


def end(agent: ListAgent, tasks: Tasks) -> Any:
    report = agent.report(others=[agent.end(task, outcome="CANCELED") for task in tasks])
    agent.forget(tasks)
    return report


def stands(job: Job) -> tuple[JobState, Intent]:
    job.refresh_from_db()
    return JobState(job.state), Intent(job.intent)


def states(name: str = "a") -> list[str]:
    found = Task.objects.filter(stage__name=name).order_by("index").values_list("state", flat=True)
    return [TaskState(state).name for state in found]


def test_what_runs_is_ended_and_runs_again_when_the_job_is_resumed(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2}, "b": {"needs": ["a"]}})
    tasks = placed(leader, agent)
    turn(leader, agent.start(tasks[:2]))
    turn(leader, agent.finish(tasks[:1], "1"))
    told = suspend(leader, agent, made)
    assert told == tasks[1:]
    assert stands(made) == (JobState.SUSPENDING, Intent.SUSPEND)
    assert states() == ["FINISHED", "CANCELING"]
    turn(leader, end(agent, told[:1]))
    assert stands(made) == (JobState.SUSPENDING, Intent.SUSPEND)
    turn(leader, agent.give_back(told[1:]))
    assert stands(made) == (JobState.SUSPENDED, Intent.SUSPEND)
    assert [*states(), *states("b")] == ["FINISHED", "CREATED", "CREATED"]
    assert placed(leader, agent) == []
    assert not Assignment.objects.exists()
    assert not list(violations())

    control.resume(ADA, made.id)
    assert stands(made) == (JobState.RUNNING, Intent.RUN)
    again = placed(leader, agent)
    assert again[0][1:] == (1, 1)
    while again:
        turn(leader, agent.finish(again, "2"))
        again = placed(leader, agent)
    assert list(Task.objects.order_by("stage", "index").values_list("attempt", flat=True)) == [0, 1, 0]
    assert stands(made) == (JobState.FINISHED, Intent.RUN)
    ended = Attempt.objects.get()
    assert (TaskState(ended.state), ended.exit_class, ended.error) == (
        TaskState.CANCELED,
        "suspended",
        "its job was suspended",
    )
    assert set(Task.objects.values_list("failures", "losses")) == {(0, 0)}
    told_of = Event.objects.filter(job_id=made.id, kind__in=("job_suspending", "job_suspended", "job_resumed"))
    assert list(told_of.order_by("id").values_list("kind", "text")) == [
        ("job_suspending", f"The job is suspended by {ADA.name}: for the night."),
        ("job_suspended", "Nothing of the job runs any more: it is suspended."),
        ("job_resumed", f"The job is resumed by {ADA.name}."),
    ]


def test_what_has_not_begun_keeps_its_number(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2}})
    tasks = placed(leader, agent)
    assert suspend(leader, agent, made) == tasks
    turn(leader, agent.give_back(tasks))
    assert stands(made)[0] == JobState.SUSPENDED
    control.resume(ADA, made.id)
    assert stands(made)[0] == JobState.CREATED
    assert placed(leader, agent) == tasks


def test_a_job_that_waits_is_suspended_at_once(leader: Leader, job: Submit) -> None:
    made = job({"a": {}})
    control.suspend(ADA, made.id)
    turn(leader)
    assert stands(made)[0] == JobState.SUSPENDED


def test_a_job_resumed_while_tasks_are_still_ended_loses_none(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2}})
    tasks = placed(leader, agent)
    turn(leader, agent.start(tasks))
    told = suspend(leader, agent, made)
    control.resume(ADA, made.id)
    turn(leader, end(agent, told))
    turn(leader, agent.finish(placed(leader, agent)))
    assert stands(made)[0] == JobState.FINISHED
    assert states() == ["FINISHED", "FINISHED"]


def test_a_gang_is_suspended_and_resumed_as_one(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {"parallelism": 2, "gang": True}})
    tasks = placed(leader, agent)
    turn(leader, agent.start(tasks[:1]))
    assert suspend(leader, agent, made) == tasks
    turn(leader, end(agent, tasks[:1]))
    assert stands(made)[0] == JobState.SUSPENDING
    turn(leader, agent.give_back(tasks[1:]))
    assert stands(made)[0] == JobState.SUSPENDED
    assert states() == ["CREATED", "CREATED"]
    assert not Event.objects.filter(kind="gang_retried").exists()
    control.resume(ADA, made.id)
    again = placed(leader, agent)
    assert [attempt for _, attempt, _ in again] == [1, 1]
    turn(leader, agent.finish(again))
    assert stands(made)[0] == JobState.FINISHED


def test_a_suspended_job_is_canceled(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    turn(leader, agent.start(placed(leader, agent)))
    turn(leader, end(agent, suspend(leader, agent, made)))
    control.cancel(ADA, made.id)
    turn(leader)
    assert stands(made) == (JobState.CANCELED, Intent.CANCEL)


def test_a_job_is_canceled_while_it_is_being_suspended(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    turn(leader, agent.start(placed(leader, agent)))
    told = suspend(leader, agent, made)
    control.cancel(ADA, made.id)
    turn(leader, end(agent, told))
    assert stands(made)[0] == JobState.CANCELED
    assert Task.objects.get().exit_class is None


def test_a_job_whose_last_task_finishes_meanwhile_is_finished(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    tasks = placed(leader, agent)
    suspend(leader, agent, made)
    turn(leader, agent.finish(tasks))
    assert stands(made)[0] == JobState.FINISHED


def test_a_draining_job_cannot_be_suspended_nor_a_suspended_one_drain(leader: Leader, job: Submit) -> None:
    drains, suspended = job({"a": {}}), job({"a": {}})
    control.drain(ADA, drains.id)
    with pytest.raises(control.NotSuspendable):
        control.suspend(ADA, drains.id)
    control.suspend(ADA, suspended.id)
    with pytest.raises(control.Stopping):
        control.drain(ADA, suspended.id)


def test_time_in_suspension_counts_toward_no_timeout(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}}, timeouts={"run": 100})
    turn(leader, agent.start(placed(leader, agent)))
    now = timezone.now()
    Job.objects.update(created_at=now - timedelta(seconds=250), started_at=now - timedelta(seconds=200))
    suspend(leader, agent, made)
    Job.objects.update(suspended_at=now - timedelta(seconds=150))
    deadlines.expire_jobs(epoch=leader.epoch)
    assert stands(made)[0] == JobState.SUSPENDING
    control.resume(ADA, made.id)
    deadlines.expire_jobs(epoch=leader.epoch)
    assert stands(made)[0] == JobState.RUNNING
    Job.objects.update(suspended_seconds=50)
    deadlines.expire_jobs(epoch=leader.epoch)
    assert stands(made)[0] == JobState.FAILING


def test_a_held_job_is_suspended_and_held_no_more(leader: Leader, job: Submit) -> None:
    made = job({"a": {}})
    Job.objects.update(held_reason="it broke")
    control.suspend(ADA, made.id)
    turn(leader)
    made.refresh_from_db()
    assert (made.state, made.held_reason) == (JobState.SUSPENDED, "")
    assert Stage.objects.get().unplaced
