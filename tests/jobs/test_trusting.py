"""What ends the session of a live agent: its token is revoked or expires, or its node is deactivated."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone

from access import tokens
from access.models import Token
from access.roles import Role
from jobs.leader import lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from nodes import reading, selectors, services
from nodes.models import Node
from switchyard.messaging.messages import IDENTITY, Heartbeat
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import ANN

REGISTER, HEARTBEAT = "/api/v1/agent/register", "/api/v1/agent/heartbeat"


def revoke(agent: ListAgent) -> None:
    Token.objects.all().delete()


def expire(agent: ListAgent) -> None:
    Token.objects.update(expires_at=timezone.now())


def deactivate(agent: ListAgent) -> None:
    services.deactivate(ANN, agent.node)


@pytest.fixture
def trusted(leader: Leader, broker: redis.Redis) -> ListAgent:
    """Give an agent whose session began with a token."""
    token, _ = tokens.create("n1", role=Role.AGENT)
    agent = ListAgent(broker)
    Node.objects.update(token=token.id)
    return agent


@pytest.mark.parametrize("end", [revoke, expire, deactivate])
def test_an_agent_that_is_not_trusted_any_more_is_not_heard_and_its_work_goes_elsewhere(
    leader: Leader,
    trusted: ListAgent,
    broker: redis.Redis,
    job: Callable[..., Job],
    end: Callable[[ListAgent], None],
) -> None:
    job({"a": {"parallelism": 2}})
    turn(leader)
    trusted.listen()
    turn(leader, trusted.start(trusted.tasks()))
    end(trusted)
    leader.turn([Heartbeat(trusted.node, trusted.session, 9, {})])
    leader.tick()
    assert [command.heartbeat for command in trusted.listen() if command.heartbeat == 9] == []
    assert reading.node("n1")["state"] in ("SILENT", "INACTIVE")  # type: ignore[index]
    assert set(Task.objects.values_list("state", flat=True)) == {TaskState.RECONCILING}
    assert selectors.ask_nodes()()[0].unavailable in ("without a valid token", "inactive")
    other = ListAgent(broker, "n2")
    Node.objects.filter(id=trusted.node).update(heard_at=timezone.now() - timedelta(seconds=LOST + 1))
    turn(leader, trusted.report())
    lost_nodes.watch_nodes(listening=1000, epoch=leader.epoch)
    turn(leader)
    other.listen()
    assert [(attempt, index) for _, attempt, index in other.tasks()] == [(1, 0), (1, 1)]


def test_a_revoked_token_stands_as_a_condition_until_a_session_begins_with_another(
    leader: Leader, trusted: ListAgent, broker: redis.Redis
) -> None:
    def titles() -> list[str]:
        leader.tick()
        return [condition["title"] for condition in reading.node("n1")["conditions"]]  # type: ignore[index]

    assert titles() == []
    revoke(trusted)
    assert titles() == ["The node's token is not valid any more"]
    Node.objects.update(token=tokens.create("n1", role=Role.AGENT)[0].id)
    assert titles() == []


def test_a_session_lasts_no_longer_than_the_token_that_began_it(client: Client, db: None) -> None:
    def post(path: str, token: str, **told: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", IDENTITY: f"{told.get('node')} {'s' * 43}"}
        return client.post(path, told, content_type="application/json", headers=headers)

    (first, one), (_, second) = (tokens.create(name, role=Role.AGENT) for name in ("first", "second"))
    told = {"name": "n1", "totals": {"cpus": 1000}, "version": settings.VERSION, "secret": "s" * 43}
    made = post(REGISTER, one, **told).json()
    beat = {"node": made["node"], "session": made["session"], "number": 1}
    assert post(HEARTBEAT, one, **beat).status_code == 200
    first.delete()
    assert post(HEARTBEAT, one, **beat).status_code == 401
    assert post(HEARTBEAT, second, **beat).status_code == 409
    again = post(REGISTER, second, **told, session=made["session"]).json()
    assert again["resumed"]
    assert post(HEARTBEAT, second, **beat | {"session": again["session"]}).status_code == 200


def test_the_agent_of_a_deactivated_node_waits_until_it_is_activated(client: Client, db: None) -> None:
    def register() -> Any:
        told: dict[str, Any] = {"name": "n1", "totals": {"cpus": 1000}, "info": {"agent": "n1"}}
        told |= {"version": settings.VERSION, "secret": "s" * 43}
        return client.post(REGISTER, told, content_type="application/json", headers={"Authorization": f"Bearer {secret}"})

    _, secret = tokens.create("n1", role=Role.AGENT)
    node = register().json()["node"]
    services.deactivate(ANN, node)
    refused = register()
    assert (refused.status_code, refused["Retry-After"]) == (425, "5")
    assert "deactivated" in refused.json()["errors"][0]["detail"]
    services.activate(ANN, node)
    assert register().status_code == 200
