"""Nodes, the scheduler, job types, events, tokens: what is told, and what operators and admins change."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from jobs.leader.loop import Leader
from nodes import services
from nodes.models import Condition, Event, Node
from tests.jobs.agents import ListAgent, turn

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
NODES = "/api/v1/nodes"
SCHEDULER = "/api/v1/scheduler"


def register(name: str) -> Node:
    return services.register(name, totals={"cpus": 2000}, labels={"zone": "a"}, pool="default", info={})[0]


def patch(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.patch(path, body, content_type="application/json")


def test_node_tells_what_it_has_and_what_is_wrong_with_it(viewer: Client) -> None:
    node = register("n1")
    now = timezone.now()
    Condition.objects.create(node=node, kind="error", name="disk", title="Disk full", started_at=now, updated_at=now)
    shown = viewer.get(f"{NODES}/n1").json()
    assert shown["resources"] == {"cpus": {"total": 2000, "held": 0}}
    assert shown["conditions"][0]["title"] == "Disk full"
    assert (shown["state"], shown["labels"]) == ("READY", {"zone": "a"})
    assert viewer.get(f"{NODES}/{node.id}").json() == shown
    assert viewer.get(f"{NODES}?state=READY&search=N").json()["results"] == [shown]
    assert viewer.get(f"{NODES}?state=GONE").json()["results"] == []


@pytest.mark.parametrize("key", ["nowhere", "999", "9" * 30, "%00", "a%2fb"])
def test_unknown_node_is_not_found(viewer: Client, key: str) -> None:
    assert viewer.get(f"{NODES}/{key}").status_code == 404


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["pause"], "PAUSING"),
        (["pause", "resume"], "READY"),
        (["drain"], "DRAINED"),
        (["drain", "resume"], "READY"),
        (["deactivate"], "INACTIVE"),
        (["deactivate", "activate"], "READY"),
    ],
)
def test_operator_changes_a_node_with_a_row_in_the_audit(operator: Client, steps: list[str], state: str) -> None:
    register("n1")
    for step in steps:
        answer = operator.post(f"{NODES}/n1/{step}", {"reason": "dust"}, content_type="application/json")
        assert answer.status_code == 200
    assert answer.json()["state"] == state
    told = list(AuditEntry.objects.order_by("id").values_list("action", "target"))
    assert told == [(f"node.{step}", "n1") for step in steps]


def test_pause_is_settled_once_the_agent_confirms(operator: Client, leader: Leader, agent: ListAgent) -> None:
    operator.post(f"{NODES}/n1/pause", {"reason": "dust"}, content_type="application/json")
    turn(leader)
    agent.listen()
    turn(leader, agent.report())
    shown = operator.get(f"{NODES}/n1").json()
    assert (shown["state"], shown["pause_reason"]) == ("PAUSED", "dust")


@pytest.mark.parametrize("reason", ["x" * 251, "a\x00b", 7.5e400, ["a"]])
def test_odd_reason_is_refused(operator: Client, reason: Any) -> None:
    register("n1")
    answer = operator.post(f"{NODES}/n1/pause", {"reason": reason}, content_type="application/json")
    assert answer.status_code == 400
    assert not Node.objects.get().paused


def test_list_of_nodes_costs_the_same_number_of_queries_however_long(
    viewer: Client, statements: Callable[[Client, str], int]
) -> None:
    register("n1")
    one = statements(viewer, NODES)
    for number in range(5):
        register(f"m{number}")
    assert statements(viewer, NODES) == one


def go(leader: Leader, agent: ListAgent) -> None:
    """Have an agent leave for good."""
    services.hear(agent.node, agent.session, {"leaving": True, "left": True})
    leader.tick()


def test_node_that_is_gone_is_deleted_and_what_ran_there_keeps_its_name(
    admin: Client, submit: Submit, leader: Leader, agent: ListAgent
) -> None:
    number = submit({"a": {}})["number"]
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()))
    go(leader, agent)
    assert b'node="n1"' in admin.get("/metrics").content
    assert admin.delete(f"{NODES}/n1").status_code == 204
    assert admin.get(f"{NODES}/n1").status_code == 404
    assert b"n1" not in admin.get("/metrics").content
    task = admin.get(f"/api/v1/jobs/{number}/stages/a/tasks/0").json()
    assert (task["node"], task["attempts"][0]["node"]) == ("n1", "n1")
    told = admin.get("/api/v1/events?kind=node_deleted").json()["results"]
    assert [(event["node"], event["text"]) for event in told] == [("n1", "The node n1 was deleted.")]
    assert AuditEntry.objects.latest("id").action == "node.delete"
    ListAgent(agent.broker)
    assert admin.get(f"{NODES}/n1").json()["id"] != agent.node


def test_node_with_a_session_is_not_deleted(admin: Client, submit: Submit, leader: Leader, agent: ListAgent) -> None:
    submit({"a": {}})
    turn(leader)
    admin.post(f"{NODES}/n1/deactivate", {}, content_type="application/json")
    answer = admin.delete(f"{NODES}/n1")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "conflict")
    assert "has a session" in answer.json()["errors"][0]["detail"]
    assert Node.objects.get().name == "n1"


def test_scheduler_is_paused_and_set(operator: Client, leader: Leader) -> None:
    shown = patch(operator, SCHEDULER, {"paused": True, "pause_reason": "dust", "strategy": "spread"}).json()
    assert (shown["paused"], shown["state"], shown["pause_reason"]) == (True, "PAUSED", "dust")
    assert (shown["strategy"], shown["leader"]["alive"]) == ("spread", True)
    assert set(shown["strategies"]) >= {"bias", "spread"}
    assert patch(operator, SCHEDULER, {"paused": False}).json()["state"] == "RUNNING"
    assert AuditEntry.objects.filter(action="scheduler.change").count() == 2


def test_a_pool_is_given_an_algorithm_of_its_own(operator: Client, leader: Leader) -> None:
    shown = patch(operator, SCHEDULER, {"allocation_of": {"gpu": "lifo"}}).json()
    assert (shown["allocation"], shown["allocation_of"]) == ("fifo", {"gpu": "lifo"})
    audited = AuditEntry.objects.get(action="scheduler.change")
    assert audited.details == {"allocation_of": {"gpu": "lifo"}}
    assert patch(operator, SCHEDULER, {"allocation_of": {}}).json()["allocation_of"] == {}


@pytest.mark.parametrize("odd", [{"gpu": "best"}, {"../etc": "fifo"}, {"gpu": None}, ["gpu"], "lifo"])
def test_odd_algorithm_of_a_pool_is_refused(operator: Client, leader: Leader, odd: Any) -> None:
    answer = patch(operator, SCHEDULER, {"allocation_of": odd})
    assert (answer.status_code, answer.json()["errors"][0]["attr"].split(".")[0]) == (400, "allocation_of")
    assert operator.get(SCHEDULER).json()["allocation_of"] == {}


@pytest.mark.parametrize(
    "change", [{"strategy": "best"}, {"allocation": ""}, {"paused": "perhaps"}, {"pause": True}, {"pause_reason": "dust"}]
)
def test_odd_setting_of_the_scheduler_is_refused(operator: Client, leader: Leader, change: dict[str, Any]) -> None:
    answer = patch(operator, SCHEDULER, change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] in change


@pytest.mark.parametrize("path", ["/api/v1/nodes/m1/pause", "/api/v1/nodes/m1/drain"])
def test_misspelled_reason_is_refused(operator: Client, leader: Leader, path: str) -> None:
    register("m1")
    answer = operator.post(path, {"raeson": "dust"}, content_type="application/json")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "raeson")
    assert operator.get("/api/v1/nodes/m1").json()["state"] == "READY"


def test_job_type_is_paused_resumed_and_limited(operator: Client, submit: Submit) -> None:
    submit({"a": {}}, type={"name": "index", "version": "1.2"})
    path = "/api/v1/job-types/index:1.2"
    paused = operator.post(f"{path}/pause", {"reason": "dust"}, content_type="application/json").json()
    assert (paused["paused"], paused["pause_reason"]) == (True, "dust")
    assert operator.post(f"{path}/resume").json()["paused"] is False
    assert patch(operator, path, {"max_running": 3}).json()["max_running"] == 3
    assert patch(operator, path, {"max_running": None}).json()["max_running"] is None
    assert patch(operator, path, {"max_running": -1}).status_code == 400
    assert [each["name"] for each in operator.get("/api/v1/job-types").json()["results"]] == ["index"]
    assert operator.post("/api/v1/job-types/none:1/pause", {}, content_type="application/json").status_code == 404


def test_events_are_told_newest_first_and_by_job(viewer: Client, submit: Submit) -> None:
    jobs = [submit({"a": {}}) for _ in range(2)]
    node = register("n1")
    for kind, job in (("first", jobs[0]), ("second", jobs[1])):
        Event.objects.create(at=timezone.now(), kind=kind, text="it happened", job_id=job["id"], node_id=node.id)
    assert [each["kind"] for each in viewer.get("/api/v1/events").json()["results"]][:2] == ["second", "first"]
    (told,) = viewer.get(f"/api/v1/events?kind=first&job={jobs[0]['number']}").json()["results"]
    assert (told["job"], told["node"], told["kind"]) == (jobs[0]["id"], "n1", "first")
    assert len(viewer.get("/api/v1/events?node=n1&kind=first").json()["results"]) == 1


def test_admin_makes_a_token_that_is_shown_once_and_revokes_it(admin: Client) -> None:
    told = {"name": "robot", "role": "viewer", "owner": "admin"}
    made = admin.post("/api/v1/tokens", told, content_type="application/json")
    assert made.status_code == 201
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert Client(headers=headers).get("/api/v1/me").json()["role"] == "viewer"
    listed = admin.get("/api/v1/tokens").json()["results"]
    assert "robot" in {token["name"] for token in listed}
    assert not any("token" in token or "digest" in token for token in listed)
    assert admin.delete(f"/api/v1/tokens/{made.json()['id']}").status_code == 204
    assert Client(headers=headers).get("/api/v1/me").status_code == 401
    assert [entry["action"] for entry in admin.get("/api/v1/audit").json()["results"]] == ["token.delete", "token.create"]


@pytest.mark.parametrize(
    "told",
    [
        {"role": "agent", "owner": "admin"},
        {"role": "viewer"},
        {"role": "root", "owner": "admin"},
        {"role": "viewer", "owner": "nobody knows"},
        {"role": "viewer", "owner": "admin", "expires_at": "2001-01-01T00:00:00Z"},
    ],
)
def test_odd_token_is_not_made(admin: Client, told: dict[str, Any]) -> None:
    answer = admin.post("/api/v1/tokens", {"name": "robot", **told}, content_type="application/json")
    assert answer.status_code == 400


def test_users_are_told_with_their_roles(admin: Client, viewer: Client) -> None:
    users = admin.get("/api/v1/users").json()["results"]
    assert {user["name"]: user["role"] for user in users} == {"admin": "admin", "viewer": "viewer"}


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/docs", "/api/v1/schema"])
def test_api_describes_itself_without_any_other_host(viewer: Client, path: str) -> None:
    answer = viewer.get(path, headers={"Accept": "text/html, */*;q=0.5"})
    assert answer.status_code == 200
    assert b"cdn." not in answer.content
    assert b"jsdelivr" not in answer.content


@pytest.mark.django_db
def test_a_job_type_says_what_is_at_fault(operator: Client, submit: Callable[..., Any]) -> None:
    submit({"a": {}}, type={"name": "kind"})
    path = "/api/v1/job-types/kind:1"
    told = {"failure_categories": {"3": "data", "timeout": "system"}}
    assert (
        operator.patch(path, told, content_type="application/json").json()["failure_categories"] == told["failure_categories"]
    )
    for wrong in ({}, {"failure_categories": {"3": "fate"}}, {"failure_categories": [1]}):
        assert operator.patch(path, wrong, content_type="application/json").status_code == 400
    assert operator.get(path).json()["failure_categories"] == told["failure_categories"]


@pytest.mark.django_db
def test_a_job_type_says_what_it_is(operator: Client, submit: Callable[..., Any]) -> None:
    submit({"a": {}}, type={"name": "kind"})
    path = "/api/v1/job-types/kind:1"
    told = {"title": "Index", "description": "All words.", "icon": "f00e"}
    assert told.items() <= operator.patch(path, told, content_type="application/json").json().items()
    for wrong in ({"title": "x" * 101}, {"icon": "<b>"}, {"icon": 7.5}):
        assert operator.patch(path, wrong, content_type="application/json").status_code == 400
    assert told.items() <= operator.get(path).json().items()


@pytest.mark.django_db
def test_what_the_scheduler_logs_and_how_many_take_messages_is_set(operator: Client) -> None:
    told = {"log_level": "DEBUG", "message_handlers": 2}
    assert told.items() <= operator.patch("/api/v1/scheduler", told, content_type="application/json").json().items()
    for wrong in ({"log_level": "LOUD"}, {"message_handlers": -1}, {"message_handlers": 40_000}):
        assert operator.patch("/api/v1/scheduler", wrong, content_type="application/json").status_code == 400
    assert told.items() <= operator.get("/api/v1/scheduler").json().items()
