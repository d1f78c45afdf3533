"""Generations of an agent over HTTP: the last registration alone is heard, and reaches what is placed on its node."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from access.roles import Role
from jobs.leader import lost_nodes
from jobs.leader.loop import Leader
from jobs.models import Assignment, Stage, Task
from nodes.models import Node
from switchyard.messaging.messages import IDENTITY, Heartbeat
from switchyard.scheduling.lifecycle.lost_nodes import LOST
from switchyard.scheduling.lifecycle.states import TaskState
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]
API = "/api/v1/agent"
FIRST, SECOND, THIRD = ("1" * 43, "2" * 43, "3" * 43)
HERE, ELSEWHERE = {"agent": "a", "place": "boot-1-2"}, {"agent": "a", "place": "boot-1-3"}


@pytest.fixture
def node(db: None) -> Client:
    """Give a client with a node token, which several machines share."""
    return Client(headers=as_(Role.AGENT))


def register(node: Client, secret: str = FIRST, **told: Any) -> Any:
    given = {"name": "n1", "totals": {"cpus": 2000}, "version": settings.VERSION, "info": HERE, "secret": secret, **told}
    return node.post(f"{API}/register", given, content_type="application/json")


def beat(node: Client, made: dict[str, Any], secret: str | None = FIRST) -> Any:
    told = {"node": made["node"], "session": made["session"], "number": 1}
    headers = {IDENTITY: f"{made['node']} {secret}"} if secret else {}
    return node.post(f"{API}/heartbeat", told, content_type="application/json", headers=headers)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["code"]


def silence(seconds: float) -> None:
    Node.objects.update(heard_at=timezone.now() - timedelta(seconds=seconds))


def test_each_registration_is_a_new_generation_and_the_older_one_is_not_heard(node: Client) -> None:
    first = register(node).json()
    second = register(node, SECOND, last_secret=FIRST, session=first["session"]).json()
    assert second["resumed"]
    assert second["session"] != first["session"]
    assert code(beat(node, first)) == (409, "session_ended")
    assert code(beat(node, second)) == (409, "session_ended"), "it knows the session, but not the secret"
    assert beat(node, second, SECOND).status_code == 200


def test_older_generations_messages_change_nothing(leader: Leader, agent: ListAgent, submit: Submit) -> None:
    submit({"a": {"parallelism": 2}})
    turn(leader)
    agent.listen()
    old = agent.session
    agent.go_on()
    assert set(Assignment.objects.values_list("session", flat=True)) == {agent.session} != {old}
    stale = agent.finish(agent.tasks())
    stale.session = old
    turn(leader, stale)
    assert not Task.objects.filter(state=TaskState.FINISHED).exists()
    assert lost_nodes.hear([(agent.node, old, "{}")]) == set()
    leader.turn([Heartbeat(agent.node, agent.session, 3, {})])
    agent.number -= 1
    stage = Stage.objects.get().pk
    turn(leader, agent.finish([(stage, 0, 0), (stage, 0, 1)]))
    assert set(Task.objects.values_list("state", "attempt")) == {(TaskState.FINISHED, 0)}


def test_what_an_agent_was_not_sent_before_it_went_on_is_sent_to_its_new_session(
    leader: Leader, agent: ListAgent, submit: Submit, broker: Any
) -> None:
    leader.tick()
    submit({"a": {}})
    turn(leader)
    broker.flushdb()
    agent.go_on()
    leader.tick()
    agent.listen()
    assert [(attempt, index) for _, attempt, index in agent.tasks()] == [(0, 0)]


def test_a_registration_whose_answer_was_lost_is_asked_again(node: Client) -> None:
    first = register(node).json()
    told = {"last_secret": FIRST, "session": first["session"]}
    lost = register(node, SECOND, **told).json()
    again = register(node, SECOND, **told).json()
    assert (lost["resumed"], again["resumed"]) == (True, True)
    assert beat(node, again, SECOND).status_code == 200


def test_a_live_session_is_not_taken_over_by_who_knows_what_every_viewer_sees(node: Client, viewer: Client) -> None:
    made = register(node).json()
    seen = viewer.get("/api/v1/nodes/n1").json()
    for session in ("", made["session"]):  # which Scale's wire tells as agent_id
        refused = register(node, SECOND, info=seen["info"], session=session)
        assert code(refused) == (409, "occupied")
        assert "Another agent runs as this node since" in refused.json()["errors"][0]["detail"]
    assert FIRST not in str(seen)
    assert code(beat(node, made, None)) == (403, "no_agent")
    assert code(beat(node, made, SECOND)) == (409, "session_ended")
    assert beat(node, made).status_code == 200


def test_a_clone_is_refused_while_the_original_is_heard_and_takes_over_when_it_is_silent(node: Client) -> None:
    first = register(node).json()
    clone = {"last_secret": FIRST, "session": first["session"], "info": ELSEWHERE}
    silence(LOST - 5)
    assert code(register(node, SECOND, **clone)) == (409, "occupied")
    silence(LOST + 5)
    assert register(node, SECOND, **clone).status_code == 200
    assert code(beat(node, first)) == (409, "session_ended")
    back = register(node, THIRD, last_secret=FIRST, session=first["session"])
    assert code(back) == (409, "occupied"), "the two do not take the node from each other in turns"


def test_an_agent_that_lost_its_secret_waits_until_its_session_is_silent(node: Client) -> None:
    register(node)
    assert code(register(node, SECOND)) == (409, "occupied")
    silence(LOST + 5)
    assert register(node, SECOND).status_code == 200


def test_a_registration_without_a_secret_is_refused(node: Client) -> None:
    assert register(node, "").status_code == 400
    assert register(node, "short").status_code == 400


def test_an_agent_reaches_what_is_placed_on_its_node_alone(
    leader: Leader, agent: ListAgent, submit: Submit, node: Client
) -> None:
    submit({"a": {"foreach": ["x"], "files": {"f": "text"}}})
    turn(leader)
    agent.listen()
    stage = Stage.objects.get().pk
    other = register(node, SECOND, name="n2", info={}).json()
    mine, others = ({IDENTITY: who} for who in (agent.identity, f"{other['node']} {SECOND}"))
    for path in (f"stages/{stage}", f"files/{stage}", f"items/{stage}?low=0&high=1", f"inputs/{stage}/{stage}?tasks=0-1"):
        assert code(node.get(f"{API}/{path}", headers=others)) == (403, "not_yours")
        assert code(node.get(f"{API}/{path}")) == (403, "no_agent")
        assert node.get(f"{API}/{path}", headers=mine).status_code in (200, 404)
    for attempt, status in ((0, 200), (1, 403)):
        path = f"{API}/logs/{stage}/0/{attempt}/stdout?offset=0"
        assert node.post(path, b"x", content_type="application/octet-stream", headers=mine).status_code == status
        refused = node.post(path, b"y", content_type="application/octet-stream", headers=others)
        assert code(refused) == (403, "not_yours")
    turn(leader, agent.finish(agent.tasks()))
    path = f"{API}/logs/{stage}/0/0/stdout?offset=1"
    assert node.post(path, b"x", content_type="application/octet-stream", headers=mine).json() == {"size": 2}


def test_an_older_attempts_log_is_written_by_the_node_that_ran_it(
    leader: Leader, agent: ListAgent, submit: Submit, node: Client
) -> None:
    submit({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0}})
    turn(leader)
    agent.listen()
    turn(leader, agent.fail(agent.tasks()))
    leader.tick()
    turn(leader)
    assert Task.objects.get().attempt == 1
    path = f"{API}/logs/{Stage.objects.get().pk}/0/0/stdout?offset=0"
    written = node.post(path, b"x", content_type="application/octet-stream", headers={IDENTITY: agent.identity})
    assert written.status_code == 200


@pytest.mark.parametrize("identity", ["", "x", "1", "1 2 3", f"{10**30} {FIRST}", f"-1 {FIRST}", f"1 {FIRST}\u00e4"])
def test_an_identity_of_the_wrong_shape_is_refused(node: Client, identity: str) -> None:
    path, headers = f"{API}/artifacts/{'0' * 64}", {IDENTITY: identity}
    answer = node.put(path, b"x", content_type="application/octet-stream", headers=headers)
    assert code(answer) in ((403, "no_agent"), (409, "session_ended"))
