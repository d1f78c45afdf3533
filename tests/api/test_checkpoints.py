"""Checkpoints over the API: lists, filters, pages, and one by stage."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.leader.loop import Leader
from jobs.models import Job
from tests.jobs.agents import ListAgent
from tests.jobs.checkpointing import answer, ask, begin, end

Submit = Callable[..., dict[str, Any]]


@pytest.fixture
def job(submit: Submit, leader: Leader, agent: ListAgent) -> Job:
    """Give a job of two running tasks with three checkpoints: one that is completed, one that failed, and one in progress."""
    made = Job.objects.get(id=submit({"a": {"parallelism": 2}}, checkpoint={})["id"])
    tasks = begin(leader, agent)
    answer(agent, first := ask(made, tasks), tasks)
    end(first)
    end(ask(made, tasks), "2 tasks have not answered within 2 s")
    answer(agent, ask(made, tasks), tasks[:1], 5)
    return made


def test_they_are_listed_newest_first(viewer: Client, job: Job) -> None:
    path = f"/api/v1/jobs/{job.number}/checkpoints"
    first = viewer.get(f"{path}?limit=2").json()
    opened, failed = first["results"]
    assert {name: opened[name] for name in ("number", "state", "tasks", "answered", "finished", "size")} == {
        "number": 3,
        "state": "IN_PROGRESS",
        "tasks": 2,
        "answered": 1,
        "finished": 0,
        "size": 5,
    }
    assert (opened["ended_at"], opened["last_answer_at"] is None) == (None, False)
    assert (opened["periodic"], opened["operation"]) == (True, None)
    assert (failed["state"], failed["failure"], failed["discarded"]) == (
        "FAILED",
        "2 tasks have not answered within 2 s",
        True,
    )
    [completed] = viewer.get(first["next"]).json()["results"]
    assert (completed["number"], completed["state"], completed["size"], completed["discarded"]) == (1, "COMPLETED", 20, False)
    [found] = viewer.get(f"{path}?state=COMPLETED").json()["results"]
    assert found == completed


def test_one_is_shown_by_stage(viewer: Client, job: Job) -> None:
    path = f"/api/v1/jobs/{job.id}/checkpoints"
    found = viewer.get(f"{path}/3").json()
    [stage] = found["stages"]
    assert stage == {"name": "a", "tasks": 2, "answered": 1, "size": 5, "last_answer_at": found["last_answer_at"]}
    [discarded] = viewer.get(f"{path}/2").json()["stages"]
    assert discarded == {"name": "a", "tasks": 2, "answered": None, "size": None, "last_answer_at": None}


@pytest.mark.parametrize("number", ["0", "4", "-1", "odd", "9" * 10, "9" * 30])
def test_an_unknown_one_is_not_found(viewer: Client, job: Job, number: str) -> None:
    answer = viewer.get(f"/api/v1/jobs/{job.id}/checkpoints/{number}")
    assert (answer.status_code, "has no checkpoint" in answer.json()["errors"][0]["detail"]) == (404, True)


@pytest.mark.parametrize("query", ["state=odd", "other=1", "cursor=x"])
def test_odd_filters_are_refused(viewer: Client, job: Job, query: str) -> None:
    assert viewer.get(f"/api/v1/jobs/{job.id}/checkpoints?{query}").status_code == 400


def test_an_unknown_job_is_not_found(viewer: Client) -> None:
    assert viewer.get("/api/v1/jobs/999999/checkpoints").status_code == 404


def test_one_that_was_asked_for_names_its_operation(operator: Client, viewer: Client, job: Job, leader: Leader) -> None:
    operation = operator.post(f"/api/v1/jobs/{job.id}/checkpoint").json()["id"]
    found = viewer.get(f"/api/v1/jobs/{job.id}/checkpoints/4").json()
    assert (found["periodic"], found["operation"], found["state"]) == (False, operation, "IN_PROGRESS")
    assert (found["tasks"], found["stages"]) == (0, [])
