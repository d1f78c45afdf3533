"""What an ASGI server says of a request reaches WSGI unchanged, and answers leave at the reader's pace."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.http import HttpResponse, StreamingHttpResponse

from scheduler_project.bridging import AT_ONCE, PIECE, environment, threaded

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "raw_path": b"/a%20b/%c3%a9%ff",
    "query_string": b"q=1&r=%20",
    "server": ("127.0.0.1", 8000),
    "client": ("10.0.0.1", 5000),
    "headers": [],
}


class Client:
    """A client that keeps what it is sent, and leaves after so many messages."""

    def __init__(self, *, leaves_after: int = 10**9) -> None:
        self.sent: list[dict[str, Any]] = []
        self._leaves_after = leaves_after
        self._left = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if len(self.sent) >= self._leaves_after:
            self._left.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Answered:
    """An application that gives one answer."""

    def __init__(self, answer: HttpResponse | StreamingHttpResponse) -> None:
        self.answer = answer

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        start(f"{self.answer.status_code} {self.answer.reason_phrase}", list(self.answer.items()))
        return self.answer


def ask(answer: HttpResponse | StreamingHttpResponse, client: Client | None = None) -> Client:
    async def run() -> Client:
        asking = client or Client()
        await threaded(Answered(answer))(SCOPE, asking.receive, asking.send)
        return asking

    with ThreadPoolExecutor(1) as own:  # a browser's tests leave a loop that runs in theirs
        return own.submit(asyncio.run, run()).result()


def streamed(parts: Iterable[bytes], **headers: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(parts, headers=headers)


def test_a_request_is_described_as_wsgi_does() -> None:
    pairs = [(b"content-type", b"a/b"), (b"content-length", b"3"), (b"accept", b"x"), (b"accept", b"y")]
    cookies = [(b"cookie", b"a=1"), (b"cookie", b"b=2")]
    environ = environment(SCOPE | {"headers": pairs + cookies}, cast("Any", None))
    assert environ["PATH_INFO"].encode("latin-1") == b"/a b/\xc3\xa9\xff"
    assert (environ["QUERY_STRING"], environ["REMOTE_ADDR"], environ["SERVER_PORT"]) == ("q=1&r=%20", "10.0.0.1", "8000")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"], environ["HTTP_ACCEPT"]) == ("a/b", "3", "x,y")
    assert environ["HTTP_COOKIE"] == "a=1;b=2"


def test_a_name_that_only_looks_like_another_is_left_out() -> None:
    environ = environment(SCOPE | {"headers": [(b"x_forwarded_for", b"1.2.3.4")]}, cast("Any", None))
    assert "HTTP_X_FORWARDED_FOR" not in environ


def test_an_answer_is_sent_at_once() -> None:
    start, body = ask(HttpResponse("text", status=404)).sent
    assert (start["status"], body) == (404, {"type": "http.response.body", "body": b"text"})


def test_a_file_of_moderate_length_is_sent_at_once() -> None:
    assert len(ask(streamed([b"ab", b"cd"], **{"Content-Length": "4"})).sent) == 2


@pytest.mark.parametrize("length", [None, str(AT_ONCE + 1)])
def test_what_is_long_is_sent_in_pieces(length: str | None) -> None:
    parts = [b"x" * 1000] * 1000
    client = ask(streamed(parts, **({"Content-Length": length} if length else {})))
    assert client.body == b"".join(parts)
    assert len(client.sent) == 2 + -(-len(client.body) // (-(-PIECE // 1000) * 1000))


def test_nothing_more_is_made_for_a_client_that_has_gone() -> None:
    made: list[int] = []

    def parts() -> Iterable[bytes]:
        for number in range(10**6):
            made.append(number)
            yield b"x" * PIECE

    ask(streamed(parts()), Client(leaves_after=3))
    assert len(made) < 100


def test_an_answer_that_breaks_is_not_ended_as_if_it_were_whole() -> None:
    def parts() -> Iterable[bytes]:
        yield b"x" * PIECE
        raise RuntimeError("forced")

    client = Client()
    with pytest.raises(RuntimeError):
        ask(streamed(parts()), client)
    assert all(message.get("more_body", True) for message in client.sent)
