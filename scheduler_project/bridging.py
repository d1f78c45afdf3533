"""Bridging: a WSGI application in threads behind an ASGI server, so that no thread waits for a client without end.

A thread makes the answer. Bodies are read by `access.bodies` when their senders are known, and an answer of moderate
length is handed over at once, so that a slow reader holds no thread.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from access.bodies import Arriving, Receive
from scheduler_project.threads import Threads

#: Requests that a process answers at once; each thread keeps a connection to the database, which has 100 for all.
THREADS = 16
#: Bytes up to which a file is handed over at once, and of the pieces of what is longer.
AT_ONCE, PIECE = 4 * 1024 * 1024, 64 * 1024
#: Seconds in which a reader must take a piece.
PATIENCE = 60.0
_HEADERS = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Scope = dict[str, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


def threaded(respond: Application) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return Django's WSGI application as one that a server calls on an event loop."""
    threads = Threads(THREADS)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        answer = Answer(receive, send, loop)
        await asyncio.wrap_future(threads.run(partial(_make, respond, environment(scope, Arriving(receive, loop)), answer)))
        await answer.flush()

    return application


class Answer:
    """An answer that a thread makes: `unsent` is what is still to be sent, as soon as it is done."""

    def __init__(self, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._send, self._loop = receive, send, loop
        self.unsent: list[Message] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        """Begin the answer, as WSGI asks for; nothing is sent before its first bytes."""
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.unsent = [{"type": "http.response.start", "status": int(status[:3]), "headers": raw}]

    def end(self, body: bytes) -> None:
        """Send so much, and that there is no more."""
        self.unsent.append({"type": "http.response.body", "body": body})

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Send a body piece by piece, at the pace of the reader, until there is no more or the reader has gone."""
        gone = asyncio.run_coroutine_threadsafe(self._gone(), self._loop)
        for piece in pieces:
            if gone.done():
                return
            self.unsent.append({"type": "http.response.body", "body": piece, "more_body": True})
            asyncio.run_coroutine_threadsafe(self.flush(), self._loop).result(PATIENCE)
        gone.cancel()
        self.end(b"")

    async def flush(self) -> None:
        """Send what is there."""
        while self.unsent:
            await self._send(self.unsent.pop(0))

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def environment(scope: Scope, body: Arriving) -> dict[str, Any]:
    """Return a request as WSGI describes it. Names with underscores are left out: others look like them there."""
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" not in name:
            key = _HEADERS.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
            between = ";" if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{between}{value}" if key in environ else value
    return environ


def _make(respond: Application, environ: dict[str, Any], answer: Answer) -> None:
    made = respond(environ, answer.start)
    try:
        if not made.streaming or 0 < int(made.get("Content-Length", 0)) <= AT_ONCE:
            answer.end(b"".join(made))
        else:
            answer.send_pieces(_in_pieces(made))
    finally:
        made.close()


def _in_pieces(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Join what comes in small parts."""
    held = bytearray()
    for text in texts:
        held += text
        if len(held) >= PIECE:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
