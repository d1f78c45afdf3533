"""Each session has a user of its own at the broker: what it may, when it ends, and that agents outlive its loss."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import redis
from django.conf import settings
from django.utils import timezone

from access import tokens
from access.models import Token
from access.roles import Role
from nodes import broker, services
from nodes.models import Event, Node
from switchyard.messaging import transport
from switchyard.messaging.messages import HEARTBEAT_QUEUE, HINT_QUEUE, IDENTITY, REPORT_QUEUE, queue_of
from switchyard.scheduling.lifecycle.states import JobState
from tests.brokers import Broker, place, without_acl
from tests.faults.test_kills import COUNT, begun, in_flight, submit
from tests.faults.tls import TlsEnd
from tests.flows.stack import Stack, Watch
from tests.people import ANN

pytestmark = [pytest.mark.faults, pytest.mark.usefixtures("own")]


#: What an agent draws.
SECRET = "s" * 43


class Registration:
    """What an agent is given that registers by hand, with a token of its own."""

    def __init__(self, stack: Stack, name: str, session: str = "") -> None:
        self.name = name
        token, secret = tokens.create(name, role=Role.AGENT)
        told: dict[str, Any] = {"name": name, "totals": {"cpus": 1000}, "info": {"agent": name}, "version": settings.VERSION}
        told |= {"secret": SECRET}
        self.token: Token = token
        self.answer = self.post(stack, "register", secret, **told, session=session)
        self.secret, self.login = secret, self.answer["broker"]
        self.queue = queue_of(self.answer["session"])

    @staticmethod
    def post(stack: Stack, path: str, token: str, **told: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", IDENTITY: f"{told.get('node')} {SECRET}"}
        url = f"{stack.url}/api/v1/agent/{path}"
        return httpx.post(url, json=told, headers=headers, trust_env=False).raise_for_status().json()

    def client(self, url: str) -> "redis.Redis":
        """Return a client that logs in as the session's user."""
        return redis.Redis.from_url(transport.logged_in(url, self.login["name"], self.login["password"]))


@pytest.fixture
def left(stack: Stack) -> Registration:
    return Registration(stack, "left")


@pytest.fixture
def user(left: Registration, own: Broker) -> Iterator["redis.Redis"]:
    """Give a client of the broker as the user of a node."""
    with left.client(own.url) as client:
        client.ping()
        yield client


def test_users_are_made_where_the_broker_does_not_know_what_newer_ones_do(
    own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "FROM_7_2", "+client|not-known")
    broker.User("early", "secret", "early-queue").make(own.client)
    with redis.Redis.from_url(transport.logged_in(own.url, "early", "secret")) as client:
        assert client.lpush("early-queue", "hint") == 1
        with pytest.raises(redis.ResponseError, match="permission"):
            client.client_list()


def test_a_user_takes_from_its_own_queue_and_adds_to_the_servers(
    left: Registration, user: "redis.Redis", own: Broker
) -> None:
    own.client.lpush(left.queue, "command")
    assert user.brpop([left.queue], timeout=1)
    assert user.lpush(left.queue, "canary") == 1
    for queue in (REPORT_QUEUE, HEARTBEAT_QUEUE):
        assert user.lpush(queue, "{}")
    assert user.llen(REPORT_QUEUE) is not None


def others(stack: Stack) -> list[tuple[Any, ...]]:
    queue = Registration(stack, "right").queue
    of_others = [(verb, queue) for verb in ("LLEN", "DEL", "LPOP", "RPOP", "TYPE", "EXISTS")]
    return [
        *of_others, ("BRPOP", queue, 1), ("LRANGE", queue, 0, -1), ("LPUSH", queue, "x"), ("LTRIM", queue, 1, 0),
        ("EXPIRE", queue, 0), ("SUBSCRIBE", queue),
    ]  # fmt: skip


def of_the_server() -> list[tuple[Any, ...]]:
    return [
        *((verb, REPORT_QUEUE) for verb in ("RPOP", "LPOP", "DEL")), ("BRPOP", REPORT_QUEUE, 1),
        ("LRANGE", REPORT_QUEUE, 0, -1), ("LTRIM", REPORT_QUEUE, 1, 0), ("EXPIRE", REPORT_QUEUE, 0),
        ("BRPOP", HEARTBEAT_QUEUE, 1), ("LRANGE", HEARTBEAT_QUEUE, 0, -1), ("LPUSH", HINT_QUEUE, "x"), ("GET", "any"),
        ("SET", "any", "x"), ("SADD", "_kombu.binding.celery", "x"),
    ]  # fmt: skip


def of_the_broker() -> list[tuple[Any, ...]]:
    return [
        ("KEYS", "*"), ("SCAN", 0), ("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("EVAL", "return 1", 0), ("INFO",),
        ("CLIENT", "LIST"), ("CLIENT", "KILL", "ID", 1), ("MONITOR",), ("ACL", "LIST"), ("ACL", "WHOAMI"), ("DBSIZE",),
        ("SELECT", 5), ("SHUTDOWN",), ("REPLICAOF", "127.0.0.1", 1), ("PUBLISH", "x", "x"),
    ]  # fmt: skip


def test_a_user_may_do_nothing_else(stack: Stack, user: "redis.Redis") -> None:
    for command in [*others(stack), *of_the_server(), *of_the_broker()]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            user.execute_command(*command)  # type: ignore[no-untyped-call]  # untyped


def test_an_agent_asks_for_nothing_that_its_user_may_not(stack: Stack, own: Broker) -> None:
    stack.env["REDIS_URL"] = place(own.url)
    stack.start_agent("only")
    job = stack.submit({"a": {"python": "bench.callables:square", "parallelism": 100}})
    assert stack.wait(job).state == JobState.FINISHED
    stack.kill("only", number=15)
    stack.until(lambda: not Node.objects.filter(session__gt="").exists(), "the agent leaves")
    assert own.client.acl_log() == []
    assert not own.client.exists("_kombu.binding.celery", "unacked", "unacked_index", "unacked_mutex")


def revoke(stack: Stack, of: Registration) -> None:
    of.token.delete()


def expire(stack: Stack, of: Registration) -> None:
    Token.objects.filter(id=of.token.id).update(expires_at=timezone.now())


def deactivate(stack: Stack, of: Registration) -> None:
    services.deactivate(ANN, of.answer["node"])


def leave(stack: Stack, of: Registration) -> None:
    told = {name: of.answer[name] for name in ("node", "session")}
    Registration.post(stack, "heartbeat", of.secret, **told, number=1, figures={"leaving": True, "left": True})


def say_left(stack: Stack, of: Registration) -> None:
    told = {name: of.answer[name] for name in ("node", "session", "proof")}
    httpx.post(f"{stack.url}/api/v1/agent/left", json=told, trust_env=False).raise_for_status()


def begin_anew(stack: Stack, of: Registration) -> None:
    Registration(stack, of.name)


def go_on_with_another_token(stack: Stack, of: Registration) -> None:
    again = Registration(stack, of.name, of.answer["session"])
    assert again.answer["resumed"]
    assert again.login != of.login


def test_a_user_ends_with_its_session_and_its_token_and_takes_its_connections_along(stack: Stack, own: Broker) -> None:
    for end in (revoke, expire, deactivate, leave, say_left, begin_anew, go_on_with_another_token):
        left, right = (Registration(stack, f"{side}-{end.__name__}") for side in ("left", "right"))
        with left.client(own.url) as client:
            client.ping()
            assert_the_user_ends(stack, own, left, end)
        with right.client(own.url) as client:
            assert client.ping()
        if end in (leave, say_left):
            stack.until(lambda name=left.name: not Node.objects.get(name=name).session, "the session ends")  # type: ignore[misc]


def assert_the_user_ends(stack: Stack, own: Broker, left: Registration, end: Callable[[Stack, Registration], None]) -> None:
    name = left.login["name"]
    connection = next(each["id"] for each in own.client.client_list() if each["user"] == name)
    end(stack, left)
    stack.until(lambda: name not in own.client.acl_users(), f"the user is deleted after {end.__name__}")
    assert all(each["id"] != connection for each in own.client.client_list())
    with pytest.raises(redis.AuthenticationError), left.client(own.url) as client:
        client.ping()


def test_a_session_ends_by_the_word_of_its_agent_alone(stack: Stack, left: Registration) -> None:
    told = {name: left.answer[name] for name in ("node", "session")}
    for proof in ("", "x", Registration(stack, "right").answer["proof"]):
        said = httpx.post(f"{stack.url}/api/v1/agent/left", json={**told, "proof": proof}, trust_env=False)
        assert said.status_code in (400, 403)
    assert not Node.objects.get(name="left").figures.get("left")


def test_work_goes_on_after_the_broker_was_restarted_and_lost_its_users(
    stack: Stack, watch: Watch, marks: Path, own: Broker
) -> None:
    stack.env["REDIS_URL"] = place(own.url)
    for name in ("left", "right"):
        stack.start_agent(name, slots=1)
    stack.until(lambda: Node.objects.filter(session__gt="").count() == 2, "both agents register")
    job = submit(stack, marks)
    in_flight(stack, marks)
    own.kill()
    own.start()
    assert stack.wait(job).state == JobState.FINISHED
    assert begun(marks) == COUNT
    assert len(own.client.acl_users()) == 3


def test_where_the_broker_makes_no_users_agents_use_the_address_that_they_have(stack: Stack, own: Broker) -> None:
    stack.stop()
    stack.env["REDIS_URL"] = without_acl(own.client, own.url)
    stack.start_servers()
    stack.start_agent("only")
    assert stack.wait(stack.submit({"a": {"python": "bench.callables:square"}})).state == JobState.FINISHED
    assert Registration(stack, "left").login is None
    stack.until(lambda: Event.objects.filter(kind="broker_users_refused").count() == 1, "it is told")
    assert "Redis makes no users for nodes" in (stack.folder / "scheduler.log").read_text()
    stack.env["REDIS_URL"] = place(own.url)
    other = stack.start_agent("other")
    assert other.wait(timeout=30) == 3
    assert "give REDIS_URL with the password" in (stack.folder / "other.log").read_text()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not on PATH")
def test_users_log_in_by_tls(stack: Stack, own: Broker, tmp_path: Path) -> None:
    parts = urlsplit(own.url)
    end = TlsEnd(tmp_path, parts.path)
    end.start()
    stack.stop()
    query = urlencode({"ssl_cert_reqs": "required", "ssl_ca_certs": end.certificate})
    stack.env["REDIS_URL"] = f"rediss://:{parts.password}@127.0.0.1:{end.port}/0?{query}"
    stack.start_servers()
    stack.env["REDIS_URL"] = place(stack.env["REDIS_URL"])
    stack.start_agent("only")
    job = stack.submit({"a": {"python": "bench.callables:square", "parallelism": 20}})
    assert stack.wait(job).state == JobState.FINISHED
    assert own.client.acl_log() == []
    assert {each["user"].rpartition("-")[0] for each in own.client.client_list() if "node" in each["user"]}
    stack.stop()
    end.end()
