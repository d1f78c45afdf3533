"""The page of one node: what stands on it, what it has, what runs there, and that much costs no more than little."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.roles import Role
from jobs.leader.loop import Leader
from jobs.models import Job
from nodes import services
from nodes.models import Condition, Node
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN, user_in

Submit = Callable[..., Job]
NASTY = "<script>alert(1)</script>"


def text(client: Client, path: str = "/ui/nodes/n1", **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def started(leader: Leader, agent: ListAgent, count: int = 2) -> None:
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()[:count]))


def test_node_is_found_by_name_and_by_id(leader: Leader, agent: ListAgent, viewer: Client) -> None:
    for key in ("n1", str(agent.node)):
        assert re.search(r"<h1>n1 <span class=\"state ready\">READY", text(viewer, f"/ui/nodes/{key}"))


def test_node_that_is_not_there_is_said_to_be_so(leader: Leader, viewer: Client) -> None:
    for key in ("n1", "1", "9" * 30):
        answer = viewer.get(f"/ui/nodes/{key}")
        assert answer.status_code == 404
        assert b"There is no such node" in answer.content


def test_what_it_has_holds_and_has_free_is_shown(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    job({"a": {"resources": {"cpus": 0.5, "mem": "1 GiB"}}})
    started(leader, agent)
    shown = text(viewer)
    assert "0.5 / 2 · 1.5 free" in shown
    assert "1 GiB / 4 GiB · 3 GiB free" in shown
    assert "0.5 of 2 held" in shown


def test_why_it_is_paused_what_is_wrong_and_what_happened_is_told(leader: Leader, agent: ListAgent, viewer: Client) -> None:
    services.pause(ANN, agent.node, NASTY)
    ListAgent(agent.broker, "n2")
    now = timezone.now()
    Condition.objects.create(
        node_id=agent.node, kind="error", name="disk", title="The disk is full", started_at=now, updated_at=now
    )
    shown = text(viewer)
    assert "Because: &lt;script&gt;" in shown
    assert "The node was paused: &lt;script&gt;" in shown
    assert NASTY not in shown
    assert "The disk is full" in shown
    assert "The disk is full" not in text(viewer, "/ui/nodes/n2")
    assert "was paused" not in text(viewer, "/ui/nodes/n2")


def test_what_runs_there_is_listed_with_its_jobs(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {"parallelism": 5}}, name="counting")
    started(leader, agent)
    other = ListAgent(agent.broker, "n2")
    shown = text(viewer)
    assert re.findall(r"a \[\d\]", shown) == ["a [0]", "a [1]"]
    assert f'href="/ui/jobs/{made.number}"' in shown
    assert f'href="/ui/jobs/{made.number}/stages/a/tasks/0"' in shown
    assert "2 running or about to, 3 waiting on its list" in shown
    assert "Nothing." in text(viewer, f"/ui/nodes/{other.node}")


def test_much_that_runs_there_is_cut_and_costs_no_more_than_little(
    leader: Leader, broker: object, agent: ListAgent, job: Submit, viewer: Client
) -> None:
    job({"a": {}})
    started(leader, agent)
    big = ListAgent(agent.broker, "big", pool="big", cpus=200_000, mem=4096)
    for name in ("x", "y"):
        job({name: {"parallelism": 60}}, pool="big")
    started(leader, big, 120)
    shown = text(viewer, "/ui/nodes/big")
    assert "120 running or about to" in shown
    assert len(re.findall(r"[xy] \[\d+\]", shown)) == 50
    assert "The first 50 of them" in shown
    assert queries(viewer, "/ui/nodes/big") == queries(viewer, "/ui/nodes/n1")


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        text(client, path)
    return len(captured)


def test_refresh_gets_the_live_part_alone(leader: Leader, agent: ListAgent, viewer: Client) -> None:
    part = text(viewer, **{"HX-Request": "true"})
    assert part.startswith('<div id="live')
    assert "<html" not in part


def test_only_operators_get_buttons(leader: Leader, agent: ListAgent, viewer: Client, operator: Client) -> None:
    assert "data-api" not in text(viewer)
    assert f'data-api="/api/v1/nodes/{agent.node}/drain"' in text(operator)


@pytest.mark.parametrize("path", ["/ui/nodes", "/ui/jobs/{}", "/ui/jobs/{}/tasks", "/ui/jobs/{}/stages/a/tasks/0"])
def test_nodes_and_tasks_lead_there(leader: Leader, agent: ListAgent, job: Submit, viewer: Client, path: str) -> None:
    made = job({"a": {}})
    started(leader, agent)
    assert f'href="/ui/nodes/{agent.node}"' in text(viewer, path.format(made.number))


def test_admins_are_offered_to_delete_a_node_that_is_gone(leader: Leader, agent: ListAgent, viewer: Client) -> None:
    person = Client()
    person.force_login(user_in(Role.ADMIN))
    assert "Delete" not in text(person)
    Node.objects.update(session="")
    assert f'data-api="/api/v1/nodes/{agent.node}" data-method="DELETE"' in text(person)
    assert "DELETE" not in text(viewer)
