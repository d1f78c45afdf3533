"""The history of nodes and of the scheduler: what people decided, with who, when and why; nothing of what agents report."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from access.roles import Role, grant
from jobs.leader.loop import Leader
from nodes import services
from nodes.models import Node, Scheduler
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

JSON = "application/json"


@pytest.fixture
def operator(leader: Leader) -> Client:
    return Client(headers=as_(Role.OPERATOR))


@pytest.fixture
def admin(leader: Leader) -> Client:
    user = User.objects.create_user("ada")
    grant(user, Role.ADMIN)
    client = Client()
    client.force_login(user)
    return client


def node_history() -> list[tuple[object, ...]]:
    found = Node.history.order_by("history_id")
    return list(found.values_list("history_type", "history_user__username", "paused", "history_change_reason"))


def test_what_people_do_to_a_node_is_remembered(operator: Client, agent: ListAgent) -> None:
    operator.post("/api/v1/nodes/n1/pause", {"reason": "x" * 250}, content_type=JSON)
    operator.post("/api/v1/nodes/n1/resume", content_type=JSON)
    changes = [("~", "operator", True, "x" * 250), ("~", "operator", False, None)]
    assert node_history() == [("+", None, False, None), *changes]


def test_what_agents_report_is_not_remembered(leader: Leader, agent: ListAgent) -> None:
    turn(leader, agent.report(updates=[]))
    services.hear(agent.node, agent.session, {"load": 1})
    assert agent.go_on(info={"boot": 2})
    assert Node.history.count() == 1


def test_agent_that_comes_back_with_other_labels_is_remembered(agent: ListAgent) -> None:
    assert agent.go_on(labels={"disk": "ssd"})
    assert [row.labels for row in Node.history.order_by("history_id")] == [{}, {"disk": "ssd"}]


def test_what_people_do_to_the_scheduler_is_remembered(operator: Client) -> None:
    for changes in ({"paused": True, "pause_reason": "moving"}, {"strategy": "spread"}, {"paused": False}):
        assert operator.patch("/api/v1/scheduler", changes, content_type=JSON).status_code == 200
    found = Scheduler.history.filter(history_type="~").order_by("history_id")
    assert list(found.values_list("paused", "strategy", "history_change_reason", "history_user__username")) == [
        (True, "bias", "moving", "operator"),
        (True, "spread", None, "operator"),
        (False, "spread", None, "operator"),
    ]


def test_admin_shows_who_paused_a_node_and_why(admin: Client, operator: Client, agent: ListAgent) -> None:
    operator.post("/api/v1/nodes/n1/pause", {"reason": "fan is loud"}, content_type=JSON)
    shown = admin.get(f"/admin/nodes/node/{agent.node}/history/").content.decode()
    assert "operator" in shown
    assert "Paused: False → True" in shown
    assert "fan is loud" in shown


def test_admin_shows_the_history_of_the_scheduler(admin: Client) -> None:
    data = {"action": "pause", "_selected_action": ["1"], "apply": "1", "reason": "moving"}
    admin.post("/admin/nodes/scheduler/", data)
    shown = admin.get("/admin/nodes/scheduler/1/history/").content.decode()
    assert "ada" in shown
    assert "Paused: False → True" in shown


def test_there_is_no_way_back_to_an_older_version(admin: Client, operator: Client, agent: ListAgent) -> None:
    operator.post("/api/v1/nodes/n1/pause", content_type=JSON)
    version = Node.history.earliest("history_id").history_id
    admin.post(f"/admin/nodes/node/{agent.node}/history/{version}/", {"paused": ""}, follow=True)
    assert Node.objects.get().paused
    assert Node.history.count() == 2
