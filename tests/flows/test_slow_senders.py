"""Slow senders without credentials cost nobody else anything; known ones have their time and their bytes."""

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from nodes import services
from switchyard.messaging.messages import IDENTITY
from tests.flows.stack import Stack

#: Far more than what is measured by hand, and far less than the time for which a slow sender goes on.
SOON = 10.0
POST = "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n"
MEASURED = "Content-Length: 1000\r\nContent-Type: application/x-www-form-urlencoded\r\n"
COOKIE = f"Cookie: csrftoken={'a' * 32}\r\n"
#: A file of 1.5 MB that the API's page loads.
BUNDLE = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
SUBMITTED = {"name": "quick", "stages": [{"name": "only", "command": ["true"], "parallelism": 1}]}


@pytest.fixture
def sends(stack: Stack) -> Iterator[Callable[..., socket.socket]]:
    """Give what begins a request and leaves it at that."""
    with ExitStack() as opened:

        def begin(path: str, headers: str, body: bytes = b"") -> socket.socket:
            made = opened.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=60))
            made.sendall(POST.format(path=path, port=stack.port, headers=headers).encode() + body)
            return made

        yield begin


def status(answered: socket.socket) -> int:
    return int(answered.recv(4096).split()[1])


def test_the_web_answers_beside_two_hundred_slow_senders(stack: Stack, sends: Any) -> None:
    for _ in range(40):
        sends("/api/v1/jobs", CHUNKED, b"3\r\n{  \r\n")
        sends("/api/v1/jobs", MEASURED, b"name")
        sends("/ui/login", CHUNKED + COOKIE, b"3\r\nabc\r\n")
        sends("/ui/login", MEASURED + COOKIE, b"csrf")
        sends("/nowhere", CHUNKED, b"3\r\nabc\r\n")
    assert httpx.get(f"{stack.url}/healthz", timeout=SOON, trust_env=False).status_code == 200
    assert submitted(stack, timeout=SOON).status_code == 201


def test_the_web_answers_beside_a_hundred_who_do_not_read(stack: Stack) -> None:
    """Nor are they known: static files are for all."""
    asked = f"GET {BUNDLE} HTTP/1.1\r\nHost: 127.0.0.1:{stack.port}\r\n\r\n"
    with ExitStack() as opened:
        for _ in range(100):
            reader = opened.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", stack.port))
            reader.sendall(asked.encode())
        assert httpx.get(f"{stack.url}/healthz", timeout=SOON, trust_env=False).status_code == 200
        assert submitted(stack, timeout=SOON).status_code == 201


def test_nobody_is_read_who_is_not_known(stack: Stack, sends: Any) -> None:
    paths = ("/api/v1/jobs", "/ui/password", "/admin/", "/jobs")
    begun = {(path, headers): sends(path, headers) for path in paths for headers in (CHUNKED, MEASURED, MEASURED + COOKIE)}
    assert {asked: status(answered) for asked, answered in begun.items()} == dict.fromkeys(begun, 401)


def test_a_slow_log_in_is_ended(stack: Stack, sends: Any) -> None:
    assert status(sends("/ui/login", MEASURED + COOKIE, b"csrfmiddlewaretoken=")) == 408


def test_a_large_log_in_is_refused(stack: Stack, sends: Any) -> None:
    assert status(sends("/ui/login", "Content-Length: 100000\r\n")) == 413
    assert status(sends("/ui/login", CHUNKED, b"11000\r\n" + b"x" * 0x11000)) == 413


def test_a_known_sender_that_stops_is_ended(stack: Stack, sends: Any) -> None:
    assert status(sends("/api/v1/jobs", CHUNKED + token(stack), b"3\r\n{  \r\n")) == 408
    assert submitted(stack, timeout=SOON).status_code == 201


def test_a_known_sender_may_take_longer_than_others(stack: Stack, sends: Any) -> None:
    text = httpx.Request("POST", stack.url, json=SUBMITTED).content
    slow = sends("/api/v1/jobs", f"Content-Length: {len(text)}\r\nContent-Type: application/json\r\n{token(stack)}")
    for byte in text[:20]:
        slow.sendall(bytes([byte]))
        time.sleep(0.02)
    slow.sendall(text[20:])
    assert status(slow) == 201


def test_a_large_body_in_pieces_arrives_whole(stack: Stack) -> None:
    """As agents store what tasks made."""
    sent = bytes(range(256)) * 4096 * 20
    path = f"{stack.url}/api/v1/agent/artifacts/{hashlib.sha256(sent).hexdigest()}"
    pieces = (sent[at : at + 100_000] for at in range(0, len(sent), 100_000))
    node, _ = services.register("by-hand", totals={}, labels={}, pool="default", info={}, secret="s" * 43)
    headers = {"Authorization": f"Token {stack.credentials['node_token']}", IDENTITY: f"{node.id} {'s' * 43}"}
    with httpx.Client(trust_env=False, headers=headers) as client:
        assert client.put(path, content=pieces).status_code == 201
        assert client.put(path, content=sent).status_code == 200


def submitted(stack: Stack, timeout: float) -> httpx.Response:
    headers = {"Authorization": f"Token {stack.credentials['token']}"}
    return httpx.post(f"{stack.url}/api/v1/jobs", json=SUBMITTED, headers=headers, timeout=timeout, trust_env=False)


def token(stack: Stack) -> str:
    return f"Authorization: Token {stack.credentials['token']}\r\n"
