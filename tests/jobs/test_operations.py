"""Operations: each ends as its job says, or at its deadline, whoever leads; and goes with its job, or after a day."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.commands import control
from jobs.leader.loop import Leader
from jobs.models import Job, Operation
from jobs.reading import operations
from jobs.store.records import RECORDS
from jobs.upkeep import retention
from switchyard.scheduling.lifecycle.operations import Ended, Kind, Request
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA

Submit = Callable[..., Job]


def suspension(job: Job) -> dict[str, Any]:
    found = operations.last(job.id, Kind.SUSPEND)
    assert found is not None
    return found


def failure(job: Job) -> str | None:
    found: dict[str, str] | None = suspension(job)["failure"]
    return found["name"] if found else None


def running(leader: Leader, agent: ListAgent, job: Submit) -> tuple[Job, list[tuple[int, int, int]]]:
    made = job({"a": {}})
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.start(tasks))
    return made, tasks


def test_a_suspension_is_done_when_nothing_of_the_job_runs_any_more(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, tasks = running(leader, agent, job)
    control.suspend(ADA, made.id, "for the night")
    turn(leader)
    leader.tick()
    asked = suspension(made)
    assert (asked["state"], asked["requested_by"], asked["arguments"]) == (
        "IN_PROGRESS",
        ADA.name,
        {"reason": "for the night"},
    )
    turn(leader, agent.report(others=[agent.end(task, outcome="CANCELED") for task in tasks]))
    leader.tick()
    done = suspension(made)
    assert (done["state"], done["failure"], done["outcome"]) == ("COMPLETED", None, {})
    assert done["ended_at"] is not None


def test_a_second_suspension_joins_the_first(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, _ = running(leader, agent, job)
    control.suspend(ADA, made.id)
    control.suspend(ADA, made.id)
    assert Operation.objects.count() == 1


def test_a_job_that_is_resumed_early_was_not_suspended(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, _ = running(leader, agent, job)
    control.suspend(ADA, made.id)
    control.resume(ADA, made.id)
    assert failure(made) == "JobResumed"


def test_a_job_that_is_resumed_once_it_is_suspended_was_so(leader: Leader, job: Submit) -> None:
    made = job({"a": {}})
    control.suspend(ADA, made.id)
    leader.stop()
    control.resume(ADA, made.id)
    assert (suspension(made)["state"], failure(made)) == ("COMPLETED", None)


def test_a_job_that_is_canceled_meanwhile_was_not_suspended(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, _ = running(leader, agent, job)
    control.suspend(ADA, made.id)
    control.cancel(ADA, made.id)
    assert failure(made) == "JobCanceled"


def test_a_job_that_finishes_meanwhile_was_not_suspended(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, tasks = running(leader, agent, job)
    control.suspend(ADA, made.id)
    turn(leader)
    turn(leader, agent.finish(tasks, "1"))
    leader.tick()
    assert failure(made) == "JobEnded"


def test_an_operation_ends_at_its_deadline_whoever_leads(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made, _ = running(leader, agent, job)
    control.suspend(ADA, made.id)
    long_ago = timezone.now() - timedelta(seconds=601)
    Operation.objects.update(requested_at=long_ago, deadline=long_ago + timedelta(seconds=600))
    Leader(leader.epoch).tick()
    assert suspension(made)["failure"] == {"name": "Timeout", "text": "It has not ended within 600 s."}


def test_an_operation_ends_once(leader: Leader, db: None) -> None:
    id_ = RECORDS.request_operation(Request(Kind.CHECKPOINT, "ada", 10))
    RECORDS.end_operations([Ended(id_, outcome={"first": True})])
    RECORDS.end_operations([Ended(id_, outcome={"first": False})])
    found = operations.operation(id_)
    assert found is not None
    assert found["outcome"] == {"first": True}


@pytest.mark.usefixtures("leader")
def test_operations_go_with_their_jobs_and_others_after_a_day(job: Submit) -> None:
    made = job({"a": {}})
    control.suspend(ADA, made.id)
    lone, young = (RECORDS.request_operation(Request(Kind.CHECKPOINT, "ada", 10)) for _ in range(2))
    RECORDS.end_operations([Ended(lone), Ended(young)])
    Operation.objects.filter(id=lone).update(ended_at=timezone.now() - timedelta(hours=25))
    retention.expire(timezone.now())
    assert set(Operation.objects.values_list("id", flat=True)) == {young, suspension(made)["id"]}
    control.delete_jobs([made.id])
    assert set(Operation.objects.values_list("id", flat=True)) == {young}
