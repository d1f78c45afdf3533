"""An agent that is cut off from Redis alone: it is heard over HTTP, and says why it comes that way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis

from switchyard.agent.machine import description
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.brokers import Broker, own_broker


class Link:
    """A way to Redis that can be cut and mended."""

    def __init__(self, redis_url: str) -> None:
        parts = urlsplit(redis_url)
        self._target = parts.path if parts.scheme == "unix" else (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        database = parse_qs(parts.query).get("db", ["0"])[0] if parts.scheme == "unix" else parts.path[1:]
        login = f":{parts.password}@" if parts.password else ""
        self.url = f"redis://{login}127.0.0.1:{self._listener.getsockname()[1]}/{database}"
        self._open: list[socket.socket] = []
        self.whole = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.whole = False
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self.whole:
                    near.close()
                    continue
                far = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
                far.connect(self._target)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    link = Link(server.redis_url)
    yield link
    link.close()


def test_an_agent_without_redis_says_so_over_http_and_works_on_when_it_is_back(
    link: Link, server: Server, start_agent: Callable[..., Agent]
) -> None:
    start_agent("--slots", "1", "--heartbeat", "0.2", env={"REDIS_URL": link.url})
    server.launch(1, python="agent_tasks:square")
    assert server.result(1) == 0
    wait_until(lambda: listeners(server.client))
    link.cut()
    wait_until(lambda: any(beat["figures"].get("broker") == "away" for beat in server.http_heartbeats))
    # Until then the broker may still give a message to the connection that was cut.
    wait_until(lambda: not listeners(server.client))
    link.whole = True
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
    server.client.delete("heartbeats")
    assert server.client.blpop(["heartbeats"], timeout=20)


def listeners(client: redis.Redis) -> list[str]:
    """Return the connections that wait for a message of this database."""
    database = str(client.get_connection_kwargs().get("db", 0))
    return [each["addr"] for each in client.client_list() if each["cmd"] == "brpop" and each["db"] == database]


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://127.0.0.1:6379", "redis://127.0.0.1:port/0"])
def test_an_address_that_is_none_of_redis_ends_the_agent_with_one_line(url: str, start_agent: Callable[..., Agent]) -> None:
    agent = start_agent(env={"REDIS_URL": url})
    said = agent.wait(20)
    assert agent.process.returncode == 3
    assert len(said.splitlines()) == 1
    assert "REDIS_URL is not an address of Redis: " in said


def test_an_agent_says_its_version_and_ends_where_it_does_not_fit(
    server: Server, start_agent: Callable[..., Agent], tmp_path: Path
) -> None:
    start_agent()
    assert server.registrations[0]["version"] == description.version()
    server.refusal = "This agent is of version 1, the server of version 2."
    agent = start_agent(data=tmp_path / "other")
    assert server.refusal in agent.wait(20)
    assert agent.process.returncode == 3


def test_an_agent_that_no_message_reaches_begins_again(tmp_path: Path) -> None:
    with own_broker(tmp_path / "broker") as broker, agent_on(broker, tmp_path) as server:
        wait_until(lambda: server.registrations)
        broker.client.acl_setuser("default", enabled=True, nopass=True, commands=["-brpop"])
        wait_until(lambda: len(server.registrations) > 1)
        broker.client.acl_setuser("default", enabled=True, nopass=True, commands=["+brpop"])
        server.launch(2, python="agent_tasks:square")
        assert server.result(2) == 0


def test_an_agent_begins_again_where_its_user_is_not_let_in_for_long(tmp_path: Path) -> None:
    login = {"name": "nobody", "password": "x"}
    with own_broker(tmp_path / "broker") as broker, agent_on(broker, tmp_path, login) as server:
        wait_until(lambda: server.registrations)
        broker.client.execute_command("ACL SETUSER", "somebody", "on", ">y", "allkeys", "allcommands")  # type: ignore[no-untyped-call]  # untyped
        server.login = {"name": "somebody", "password": "y"}
        wait_until(lambda: len(server.registrations) > 1)
        server.launch(2, python="agent_tasks:square")
        assert server.result(2) == 0
        assert {each["user"] for each in broker.client.client_list()} == {"default", "somebody"}


@contextmanager
def agent_on(broker: Broker, folder: Path, login: dict[str, str] | None = None) -> Iterator[Server]:
    """Run an agent on a broker of its own; give the server that it knows."""
    server = Server(broker.client, broker.url)
    server.login = login
    agent = Agent(server, folder / "agent", "--slots", "1", "--heartbeat", "0.1")
    try:
        yield server
    finally:
        agent.kill()
        server.close()
