"""The status of v6: the documented shape, resources that add up, states as they are now, and none once it is stale."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from jobs.leader.loop import Leader
from jobs.leader.snapshot import Surveyor
from jobs.models import JobType, Survey
from nodes import services
from nodes.models import Condition, Node, NodeResource, Scheduler
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

RECORDED = Path(__file__).parent / "recorded"
Submit = Callable[..., dict[str, Any]]
Placed = Callable[[], list[tuple[int, int, int]]]
Told = Callable[[], dict[str, Any]]


@pytest.fixture
def told(leader: Leader, viewer: Client) -> Told:
    """Survey, then ask for the status, check that all resources add up, and return it."""

    def ask() -> dict[str, Any]:
        leader.surveyor = Surveyor()
        leader.tick()
        answer = viewer.get("/v6/status/")
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
        status: dict[str, Any] = answer.json()
        check_resources(status)
        return status

    return ask


def check_resources(status: dict[str, Any]) -> None:
    for of in [status, *status["nodes"]]:
        assert {"cpus", "mem", "disk", "gpus"} <= set(of["resources"])
        for name, kinds in of["resources"].items():
            assert set(kinds) == {"offered", "total", "running", "free", "unavailable"}
            parts = [kinds[kind] for kind in ("running", "offered", "free", "unavailable")]
            assert min(parts) >= 0
            assert sum(parts) == pytest.approx(kinds["total"], abs=1e-6), (name, kinds)
    for name, kinds in status["resources"].items():
        for kind, amount in kinds.items():
            summed = sum(node["resources"].get(name, {}).get(kind, 0) for node in status["nodes"])
            assert amount == pytest.approx(summed, abs=1e-6)
    assert status["num_offers"] == sum(node["num_offers"] for node in status["nodes"])


def shape(value: Any) -> Any:
    """Return the keys and types of a value; of a list, those of its first item."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else type(value)


@pytest.mark.parametrize(
    ("path", "recorded"),
    [("/v6/status/", "status.v6.json"), ("/status/", "status.v5.json"), ("/v5/status/", "status.v5.json")],
)
def test_the_status_has_the_documented_keys_and_types(
    viewer: Client, submit: Submit, agent: ListAgent, leader: Leader, placed: Placed, path: str, recorded: str
) -> None:
    submit({"a": {"parallelism": 6}}, max_failures=9)
    submit({"a": {}}, type={"name": "broken"})
    JobType.objects.update(failure_categories={"1": "data", "2": "system"})
    tasks = placed()
    turn(leader, agent.start(tasks[:1]), agent.finish(tasks[1:2]))
    for code in (0, 1, 2):
        turn(leader, agent.fail(tasks[2 + code : 3 + code], exit_code=code))
    for kind in ("error", "warning"):
        Condition.objects.create(
            node_id=agent.node, kind=kind, name=kind, title=kind, started_at=timezone.now(), updated_at=timezone.now()
        )
    Node.objects.update(info={"host": "test"})
    leader.surveyor = Surveyor()
    leader.tick()
    answer = viewer.get(path).json()
    scheduler = answer["scheduler"]
    scheduler.pop("warnings", None)
    assert shape(answer) == shape(json.loads((RECORDED / recorded).read_text()))


def test_what_runs_and_what_ended_is_told_by_type_and_fault(
    told: Told, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    submit({"a": {"parallelism": 6}}, max_failures=9)
    type_ = JobType.objects.get()
    tasks = placed()
    turn(leader, agent.start(tasks[:1]), agent.finish(tasks[1:3]), agent.fail(tasks[3:4]))
    status = told()
    [node] = status["nodes"]
    [listed] = status["job_types"]
    assert (listed["id"], listed["name"], listed["version"]) == (type_.id, type_.name, type_.version)
    assert (listed["title"], listed["description"], listed["icon_code"]) == (type_.name, "", "f013")
    JobType.objects.update(title="Index", description="All words.", icon="f00e")
    [listed] = told()["job_types"]
    assert (listed["title"], listed["description"], listed["icon_code"]) == ("Index", "All words.", "f00e")
    none: dict[str, Any] = {"total": 0, "by_job_type": []}
    assert node["job_executions"] == {
        "running": {"total": 1, "by_job_type": [{"job_type_id": type_.id, "count": 1}]},
        "completed": {"total": 2, "by_job_type": [{"job_type_id": type_.id, "count": 2}]},
        "failed": {
            "total": 1,
            "data": none,
            "algorithm": {"total": 1, "by_job_type": [{"job_type_id": type_.id, "count": 1}]},
            "system": none,
        },
    }
    assert status["scheduler"]["metrics"]["tasks_finished_per_sec"] > 0
    assert status["scheduler"]["warnings"] == []


@pytest.mark.parametrize(
    ("do", "name", "rest", "offers"),
    [
        (lambda node: None, "READY", "offered", 1),
        (lambda node: services.pause(ANN, node, "why"), "PAUSED", "free", 0),
        (lambda node: services.drain(ANN, node, "why"), "PAUSED", "free", 0),
        (lambda _: services.change_scheduler(ANN, paused=True, pause_reason="why"), "SCHEDULER_STOPPED", "free", 0),
        (lambda _: Node.objects.update(silent_since=timezone.now(), heard_at=timezone.now()), "OFFLINE", "unavailable", 0),
    ],
)
def test_what_is_not_used_is_offered_free_or_unavailable(
    told: Told, viewer: Client, agent: ListAgent, do: Callable[[int], object], name: str, rest: str, offers: int
) -> None:
    told()
    do(agent.node)
    status = viewer.get("/v6/status/").json()
    check_resources(status)
    [node] = status["nodes"]
    assert node["state"]["name"] == name
    assert (status["resources"]["cpus"][rest], status["resources"]["mem"][rest]) == (2.0, 4096.0)
    assert status["num_offers"] == offers


def test_a_node_without_free_cpus_still_announces_its_memory(told: Told, agent: ListAgent) -> None:
    assert told()["num_offers"] == 1
    NodeResource.objects.filter(name="cpus").update(held=2000)
    status = told()
    assert (status["resources"]["cpus"]["offered"], status["resources"]["mem"]["offered"]) == (0.0, 4096.0)
    assert status["num_offers"] == 1
    NodeResource.objects.filter(name="mem").update(held=4096)
    assert told()["num_offers"] == 0
    NodeResource.objects.update(held=0)


def test_every_kind_of_amount_adds_up(told: Told, agent: ListAgent) -> None:
    ListAgent(agent.broker, "n2", cpus=3335, gpu0=1000, gpu1=1000, licences=3, mem=10)
    ListAgent(agent.broker, "n3", cpus=1005, disk=7)
    ListAgent(agent.broker, "n4", cpus=1005, disk=7)
    services.deactivate(ANN, Node.objects.get(name="n4").id)
    for name, held in (("cpus", 335), ("gpu0", 335), ("licences", 2)):
        NodeResource.objects.filter(node__name="n2", name=name).update(held=held)
    NodeResource.objects.filter(node__name="n3", name="cpus").update(total=500, held=1005)
    status = told()
    totals = {name: kinds["total"] for name, kinds in status["resources"].items()}
    assert totals == {"cpus": 6.33, "mem": 4106.0, "disk": 7.0, "gpus": 2.0, "licences": 3.0}
    NodeResource.objects.update(held=0)


def test_states_are_those_of_this_moment_and_figures_those_of_the_survey(
    told: Told, viewer: Client, agent: ListAgent
) -> None:
    before = told()
    Scheduler.objects.update(paused=True)
    after = viewer.get("/v6/status/").json()
    assert (before["scheduler"]["state"]["name"], after["scheduler"]["state"]["name"]) == ("READY", "PAUSED")
    assert after["timestamp"] == before["timestamp"]


def test_messages_are_handled_on_the_machine_of_the_leader(told: Told, agent: ListAgent) -> None:
    ListAgent(agent.broker, "n2")
    Node.objects.update(info={"host": "test"})
    status = told()
    assert [len(node["system_tasks"]) for node in status["nodes"]] == [1, 0]
    assert [[task["type"] for task in node["node_tasks"]] for node in status["nodes"]] == [["health-check"]] * 2
    [service] = status["system"]["services"]
    assert (service["name"], service["actual_count"], service["desired_count"]) == ("messaging", 1, 1)


@pytest.mark.django_db
def test_a_status_that_is_missing_or_stale_is_a_204_that_says_why(viewer: Client) -> None:
    answer = viewer.get("/v6/status/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["X-Status-Reason"] == "Status is missing. Scheduler may be down."
    Survey.objects.create(id=1, at=timezone.now() - timedelta(seconds=13), document={"rates": {}, "ended": []})
    answer = viewer.get("/v6/status/")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["X-Status-Reason"] == "Status is over 12 seconds old"


def test_the_status_costs_the_same_for_one_node_and_for_ten(
    told: Told, viewer: Client, agent: ListAgent, statements: Callable[[Client, str], int]
) -> None:
    told()
    cost = statements(viewer, "/v6/status/")
    for number in range(9):
        ListAgent(agent.broker, f"other{number}")
    assert statements(viewer, "/v6/status/") == cost
    assert len(viewer.get("/v6/status/").json()["nodes"]) == 10


def test_the_tables_are_as_old_as_their_last_change(told: Told, agent: ListAgent) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(applied) FROM django_migrations")
        [at] = cursor.fetchone()
    assert told()["system"]["database_update"] == {
        "is_completed": True,
        "completed": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


@pytest.mark.parametrize("path", ["/status/", "/v4/status/", "/v5/status/", "/v6/status/"])
def test_people_see_a_page_and_programs_json(told: Told, viewer: Client, agent: ListAgent, path: str) -> None:
    at = timezone.now()
    Condition.objects.create(node_id=agent.node, kind="error", name="x", title="<script>", started_at=at, updated_at=at)
    told()
    page = viewer.get(f"{path}?<script>", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert "&quot;scheduler&quot;: {" in page.content.decode()
    assert "<script>" not in page.content.decode()
    for accept in ("application/json, text/html", "*/*", "nonsense", "", "text/html;q=0", "image/png", "a/b;q=x,,;"):
        answer = viewer.get(path, headers={"Accept": accept})
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json"), accept
        assert "Accept" in answer["Vary"]
