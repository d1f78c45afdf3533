"""What becomes of jobs, in Scale's numbers: what waits, runs, has ended; and the same cost however much there is."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.leader.snapshot import Surveyor
from jobs.models import Job
from nodes.models import Node
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., dict[str, Any]]
Placed = Callable[[], list[tuple[int, int, int]]]
PATHS = ["/status/", "/v6/status/", "/v6/nodes/", "/v5/nodes/", "/v6/scheduler/", "/scheduler/", "/v6/version/"]


def totals(client: Client, leader: Leader) -> tuple[int, int, int, int]:
    """Return how many tasks wait, run, completed and failed."""
    leader.surveyor = Surveyor()
    leader.tick()
    [node] = client.get("/v6/status/").json()["nodes"]
    told = node["job_executions"]
    queued = client.get("/status/").json()["queue_depth"]
    return queued, told["running"]["total"], told["completed"]["total"], told["failed"]["total"]


def test_a_job_is_followed_to_its_end(
    viewer: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    submit({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})
    assert totals(viewer, leader) == (3, 0, 0, 0)
    tasks = placed()
    turn(leader, agent.start(tasks[:2]))
    assert totals(viewer, leader)[:3] == (1, 2, 0)
    turn(leader, agent.finish(tasks))
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    assert totals(viewer, leader) == (0, 0, 4, 0)


def test_what_an_agent_cleaned_is_a_task_of_its_node(
    viewer: Client, operator: Client, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    described = {"name": "test", "stages": [{"name": "a", "command": ["true"], "parallelism": 2}]}
    assert operator.post("/api/v1/jobs", described, content_type="application/json").status_code == 201
    turn(leader, agent.finish(placed()))
    tasks = []
    for _ in range(2):
        totals(viewer, leader)
        [node] = viewer.get("/v6/status/").json()["nodes"]
        tasks.append({task["type"]: task["count"] for task in node["node_tasks"]})
    assert tasks == [{"health-check": 1, "cleanup": 2}, {"health-check": 1}]


def test_what_is_canceled_is_counted_nowhere(
    viewer: Client, operator: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    job = submit({"a": {"parallelism": 2}})
    tasks = placed()
    turn(leader, agent.start(tasks[:1]))
    operator.post(f"/api/v1/jobs/{job['id']}/cancel")
    turn(leader)
    turn(
        leader, agent.give_back(tasks[1:]), agent.report(others=[agent.end(tasks[0], outcome="CANCELED", **{"class": None})])
    )
    assert Job.objects.get().state == JobState.CANCELED
    assert totals(viewer, leader) == (0, 0, 0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("state", JobState, ids=lambda state: state.name)
def test_jobs_in_any_state_are_no_trouble(viewer: Client, submit: Submit, state: JobState) -> None:
    submit({"a": {}})
    Job.objects.update(state=state, started_at=timezone.now())
    for path in PATHS:
        assert viewer.get(path).status_code in (200, 204)


def test_ten_thousand_tasks_cost_no_more_statements_than_ten(
    viewer: Client,
    submit: Submit,
    leader: Leader,
    agent: ListAgent,
    placed: Placed,
    statements: Callable[[Client, str], int],
) -> None:
    submit({"a": {"parallelism": 10}})
    turn(leader, agent.finish(placed()))
    totals(viewer, leader)
    few = {path: statements(viewer, path) for path in PATHS}
    submit({"a": {"parallelism": 10_000}})
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    assert totals(viewer, leader) == (0, 0, 10_010, 0)
    assert {path: statements(viewer, path) for path in PATHS} == few


def test_reading_changes_nothing(viewer: Client, submit: Submit, agent: ListAgent, leader: Leader) -> None:
    submit({"a": {}})
    totals(viewer, leader)
    before = [list(model.objects.order_by("pk").values()) for model in (Job, Node)]
    for path in PATHS:
        assert viewer.get(path).status_code == 200
    assert [list(model.objects.order_by("pk").values()) for model in (Job, Node)] == before
