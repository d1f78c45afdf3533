"""Quotas and the limit of tasks: nobody has more than the settings allow, however and whenever tasks are made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from access.roles import Role
from database import rows
from jobs.leader.loop import Leader
from jobs.models import Job
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

pytestmark = pytest.mark.django_db
Submit = Callable[..., dict[str, Any]]


def post(client: Client, tasks: int = 1) -> Any:
    stages = [{"name": "a", "python": "bench.callables:square", "parallelism": tasks}]
    return client.post("/api/v1/jobs", {"name": "test", "stages": stages}, content_type="application/json")


def said(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["errors"][0]
    return answer.status_code, error["code"], error["detail"]


def test_job_beyond_the_quota_is_refused_and_not_stored(operator: Client, settings: Settings) -> None:
    settings.QUOTA_JOBS = 2
    assert [post(operator).status_code for _ in range(2)] == [201, 201]
    status, code, detail = said(post(operator))
    assert (status, code) == (403, "over_quota")
    assert "at most 2 live jobs (SWITCHYARD_QUOTA_JOBS)" in detail
    assert Job.objects.count() == 2


def test_tasks_beyond_the_quota_are_refused(operator: Client, settings: Settings) -> None:
    settings.QUOTA_TASKS = 10
    assert post(operator, 7).status_code == 201
    status, _, detail = said(post(operator, 4))
    assert status == 403
    assert "at most 10 live tasks (SWITCHYARD_QUOTA_TASKS); with this there would be 11." in detail
    assert post(operator, 3).status_code == 201


def test_quota_is_each_users_own(operator: Client, admin: Client, settings: Settings) -> None:
    settings.QUOTA_JOBS = 1
    assert [post(client).status_code for client in (operator, admin)] == [201, 201]


def test_what_has_ended_makes_room(operator: Client, settings: Settings, leader: Leader, agent: ListAgent) -> None:
    settings.QUOTA_JOBS, settings.QUOTA_TASKS = 1, 2
    post(operator, 2)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    assert post(operator, 2).status_code == 201


def run_over(leader: Leader, agent: ListAgent, operator: Client, result: str) -> dict[str, Any]:
    """Submit a stage that runs once for each item of another, let that return this, and show the job."""
    stages = [
        {"name": "list", "python": "bench.callables:square"},
        {"name": "each", "python": "bench.callables:square", "foreach": {"from": "list"}},
    ]
    posted = operator.post("/api/v1/jobs", {"name": "test", "stages": stages}, content_type="application/json").json()
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), result))
    turn(leader)
    shown: dict[str, Any] = operator.get(f"/api/v1/jobs/{posted['id']}").json()
    return shown


def test_items_beyond_the_quota_fail_the_job_and_name_it(
    operator: Client, settings: Settings, leader: Leader, agent: ListAgent
) -> None:
    settings.QUOTA_TASKS = 3
    job = run_over(leader, agent, operator, "[1, 2, 3, 4]")
    assert job["state"] == "FAILED"
    assert job["error"] == (
        "stage each cannot run over the 4 items of list: "
        "One user may have at most 3 live tasks (SWITCHYARD_QUOTA_TASKS); with this there would be 4."
    )
    assert post(operator, 3).status_code == 201


def test_items_count_beside_what_else_the_user_has_live(
    operator: Client, settings: Settings, leader: Leader, agent: ListAgent
) -> None:
    settings.QUOTA_TASKS = 3
    stages = [{"name": "a", "python": "bench.callables:square"}]
    body = {"name": "test", "pool": "elsewhere", "stages": stages}
    assert operator.post("/api/v1/jobs", body, content_type="application/json").status_code == 201
    assert run_over(leader, agent, operator, "[1, 2, 3]")["error"].endswith("with this there would be 4.")
    assert run_over(leader, agent, operator, "[1, 2]")["state"] == "RUNNING"


def test_items_count_for_the_limit_of_tasks_of_a_job(
    operator: Client, settings: Settings, leader: Leader, agent: ListAgent
) -> None:
    settings.DESCRIPTION_LIMITS = {"tasks": 4}
    job = run_over(leader, agent, operator, "[1, 2, 3, 4]")
    assert (job["state"], job["tasks"]["total"]) == ("FAILED", 1)
    assert job["error"] == (
        "stage each cannot run over the 4 items of list: with them the job would have 5 tasks, "
        "and at most 4 are allowed (SWITCHYARD_LIMIT_TASKS)"
    )
    assert rows.fetch("SELECT count(*) FROM jobs_items") == [(0,)]
    assert run_over(leader, agent, operator, "[1, 2, 3]")["state"] == "RUNNING"


def test_retry_does_not_bring_back_more_items_than_the_limit_of_tasks(
    operator: Client, settings: Settings, leader: Leader, agent: ListAgent
) -> None:
    job = run_over(leader, agent, operator, "[1, 2, 3]")
    operator.post(f"/api/v1/jobs/{job['id']}/cancel")
    turn(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    settings.DESCRIPTION_LIMITS = {"tasks": 3}
    status, code, detail = said(operator.post(f"/api/v1/jobs/{job['id']}/retry"))
    assert (status, code, detail) == (400, "invalid", "has 4 tasks in all; at most 3 are allowed (limit 'tasks')")
    settings.DESCRIPTION_LIMITS = {"tasks": 4}
    assert operator.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 201


def test_retry_does_not_bring_back_more_items_than_the_quota_allows(
    operator: Client, settings: Settings, leader: Leader, agent: ListAgent
) -> None:
    job = run_over(leader, agent, operator, "[1, 2, 3]")
    operator.post(f"/api/v1/jobs/{job['id']}/cancel")
    turn(leader)
    agent.listen()
    turn(leader, agent.give_back(agent.tasks()))
    settings.QUOTA_TASKS = 2
    status, code, detail = said(operator.post(f"/api/v1/jobs/{job['id']}/retry"))
    assert (status, code) == (403, "over_quota")
    assert "with this there would be 3." in detail
    settings.QUOTA_TASKS = 3
    assert operator.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 201


def test_retry_counts_as_well(operator: Client, settings: Settings, leader: Leader, agent: ListAgent, submit: Submit) -> None:
    settings.QUOTA_JOBS = 1
    first = submit({"a": {}})
    operator.post(f"/api/v1/jobs/{first['id']}/cancel")
    turn(leader)
    submit({"a": {}})
    assert said(operator.post(f"/api/v1/jobs/{first['id']}/retry"))[:2] == (403, "over_quota")


@pytest.mark.django_db(transaction=True)
def test_quota_is_exact_however_many_submit_at_once(settings: Settings, broker: Any) -> None:
    settings.QUOTA_JOBS = 3
    headers = as_(Role.OPERATOR)

    def submit(_: int) -> int:
        status: int = post(Client(headers=headers)).status_code
        connection.close()
        return status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(submit, range(16)))
    assert sorted(statuses) == [201] * 3 + [403] * 13
    assert Job.objects.count() == 3
