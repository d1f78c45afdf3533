"""Bodies are read within a budget of bytes and of time, and only some are awaited at once."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from access import bodies
from access.bodies import Arriving, Budget, NotRead

QUICK = 0.2
TEXT = b"x" * 100


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


def arriving(loop: asyncio.AbstractEventLoop, *messages: dict[str, Any]) -> Arriving:
    """Return a body that comes in these messages; after the last nothing comes."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return Arriving(receive, loop)


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def asked(body: Arriving) -> WSGIRequest:
    """Return a request with a body that is still to come."""
    environ: dict[str, Any] = {"wsgi.input": body}
    return RequestFactory().post("/", **environ)


def budget(slots: int = 1) -> Budget:
    return Budget(QUICK, 1e6, threading.BoundedSemaphore(slots))


def test_a_body_is_taken_in_pieces(loop: asyncio.AbstractEventLoop) -> None:
    body = arriving(loop, *(piece(TEXT) for _ in range(4)), piece(TEXT, more=False)).in_pieces(500, budget())
    assert [len(body.read(150)) for _ in range(4)] == [200, 200, 100, 0]


def test_no_more_of_a_body_is_taken_than_it_may_have(loop: asyncio.AbstractEventLoop) -> None:
    body = arriving(loop, piece(TEXT), piece(TEXT), piece(TEXT)).in_pieces(150, budget())
    assert body.read(100) == TEXT
    with pytest.raises(NotRead) as raised:
        body.read(100)
    assert raised.value.status == 413
    assert body.read(100) == b""


@pytest.mark.parametrize("last", [piece(b"", more=False), {"type": "http.disconnect"}])
def test_a_body_in_pieces_that_ends_too_early_is_broken_off(loop: asyncio.AbstractEventLoop, last: dict[str, Any]) -> None:
    body = arriving(loop, piece(TEXT), last).in_pieces(500, budget(), least=200)
    assert body.read(100) == TEXT
    with pytest.raises(NotRead) as raised:
        body.read(100)
    assert raised.value.status == 400


def test_a_body_in_pieces_that_stops_is_ended(loop: asyncio.AbstractEventLoop) -> None:
    body = arriving(loop, piece(TEXT)).in_pieces(500, budget())
    assert body.read(100) == TEXT
    with pytest.raises(NotRead) as raised:
        body.read(100)
    assert raised.value.status == 408


def test_a_body_is_joined(loop: asyncio.AbstractEventLoop) -> None:
    assert arriving(loop, piece(TEXT), piece(TEXT, more=False)).gather(200, budget()) == TEXT * 2


def test_no_more_is_gathered_than_shows_that_it_is_too_large(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(NotRead) as refused:
        arriving(loop, piece(TEXT), piece(TEXT)).gather(150, budget())
    assert refused.value.status == 413


def test_what_does_not_come_is_given_up(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(NotRead) as refused:
        arriving(loop, piece(TEXT)).gather(1000, budget())
    assert refused.value.status == 408


def test_who_has_gone_is_not_awaited(loop: asyncio.AbstractEventLoop) -> None:
    with pytest.raises(NotRead) as refused:
        arriving(loop, piece(TEXT), {"type": "http.disconnect"}).gather(1000, budget())
    assert refused.value.status == 400


def test_only_some_are_awaited(loop: asyncio.AbstractEventLoop) -> None:
    none_left = budget()
    with none_left.slots:
        with pytest.raises(NotRead) as refused:
            arriving(loop, piece(TEXT)).gather(1000, none_left)
        assert (refused.value.status, refused.value.seconds) == (503, 1)
        # What is there already needs no slot.
        assert arriving(loop, piece(TEXT, more=False)).gather(1000, none_left) == TEXT


@pytest.mark.parametrize("length", [None, len(TEXT)])
def test_a_request_has_its_body_and_its_length(loop: asyncio.AbstractEventLoop, length: int | None) -> None:
    request = asked(arriving(loop, piece(TEXT, more=False)))
    request.META["CONTENT_LENGTH"] = str(length or "")
    bodies.read(request, known=True)
    assert (request.body, request.META["CONTENT_LENGTH"]) == (TEXT, str(len(TEXT)))


def test_a_body_shorter_than_was_said_is_refused(loop: asyncio.AbstractEventLoop) -> None:
    request = asked(arriving(loop, piece(TEXT, more=False)))
    request.META["CONTENT_LENGTH"] = "101"
    with pytest.raises(NotRead) as refused:
        bodies.read(request, known=True)
    assert refused.value.status == 400


def test_nothing_is_read_before_its_sender_is_known(loop: asyncio.AbstractEventLoop) -> None:
    request = asked(arriving(loop, piece(TEXT, more=False)))
    with pytest.raises(OSError, match="before its sender was known"):
        request.read(10)
