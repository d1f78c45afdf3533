"""Operations over the API: the answer to a suspend, lists, filters and pages."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from jobs.leader.loop import Leader
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle.operations import Kind, Request
from tests.jobs.agents import turn

Submit = Callable[..., dict[str, Any]]


def test_a_suspend_names_its_operation(operator: Client, viewer: Client, submit: Submit, leader: Leader) -> None:
    job = submit({"a": {}})
    answer = operator.post(f"/api/v1/jobs/{job['number']}/suspend", {"reason": "why"}, content_type="application/json")
    assert answer.status_code == 202
    told = answer.json()["operation"]
    assert (told["kind"], told["state"], told["job"], told["job_number"]) == (
        "suspend",
        "IN_PROGRESS",
        job["id"],
        job["number"],
    )
    turn(leader)
    leader.tick()
    done = viewer.get(f"/api/v1/operations/{told['id']}").json()
    assert (done["state"], done["failure"], done["outcome"]) == ("COMPLETED", None, {})
    again = operator.post(f"/api/v1/jobs/{job['number']}/suspend", content_type="application/json").json()
    assert again["operation"] == done


def test_operations_are_listed_newest_first(operator: Client, viewer: Client, submit: Submit) -> None:
    jobs = [submit({"a": {}}) for _ in range(3)]
    for job in jobs:
        operator.post(f"/api/v1/jobs/{job['id']}/suspend", content_type="application/json")
    RECORDS.request_operation(Request(Kind.CHECKPOINT, "ada", 10))
    first = viewer.get("/api/v1/operations?limit=2").json()
    assert [(each["kind"], each["job"]) for each in first["results"]] == [("checkpoint", None), ("suspend", jobs[2]["id"])]
    second = viewer.get(first["next"]).json()
    assert [each["job"] for each in second["results"]] == [jobs[1]["id"], jobs[0]["id"]]
    for query, count in (
        ("kind=suspend", 3),
        (f"job={jobs[0]['number']}", 1),
        ("state=COMPLETED", 0),
        ("state=IN_PROGRESS", 4),
    ):
        assert len(viewer.get(f"/api/v1/operations?{query}").json()["results"]) == count, query


@pytest.mark.parametrize("query", ["kind=odd", "state=odd", "job=nowhere", "other=1"])
def test_odd_filters_are_refused(viewer: Client, query: str) -> None:
    assert viewer.get(f"/api/v1/operations?{query}").status_code == 400


def test_an_unknown_operation_is_not_found(viewer: Client) -> None:
    for id_ in (uuid4(), "odd", "1"):
        assert viewer.get(f"/api/v1/operations/{id_}").status_code == 404
