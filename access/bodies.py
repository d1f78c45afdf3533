"""Bodies of requests: read after the sender is identified, within a budget of bytes and of time.

A slow sender holds a thread for as long as its body is awaited; so only some of a process's threads wait for bodies at
once, and few of them for senders who are not known.
"""

import asyncio
import io
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest

from switchyard.scheduling.errors import SwitchyardError

#: Requests of these methods have no body that anybody would look at.
BODILESS = ("GET", "HEAD", "OPTIONS", "TRACE")
#: What arrives within so many seconds was there already, and takes no slot of those who wait.
GLANCE = 0.05
#: Bytes that a log-in form may have.
STRANGERS_BODY = 64 * 1024

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a body may take: `seconds`, and one more for each `rate` bytes; `slots`: how many are awaited at once."""

    seconds: float
    rate: float
    slots: BoundedSemaphore


#: Fewer than the threads of a process (scheduler_project.bridging).
OF_KNOWN = Budget(10.0, 32 * 1024, BoundedSemaphore(10))
OF_STRANGERS = Budget(5.0, 32 * 1024, BoundedSemaphore(3))


class NotRead(SwitchyardError):
    """Why a body was not read, as a status and a code; `seconds` says when to try again."""

    def __init__(self, status: int, code: str, detail: str, seconds: int = 0) -> None:
        super().__init__(detail)
        self.status, self.code, self.seconds = status, code, seconds


class Arriving:
    """A body that the web server hands over as it comes; the input of a request until it is read."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive = receive
        self._loop = loop

    def read(self, size: int = -1) -> bytes:
        """Refuse: no view or middleware reads a body of a sender that nobody has looked at."""
        raise OSError("This body was asked for before its sender was known.")

    readline = read

    def gather(self, most: int, budget: Budget) -> bytes:
        """Return the whole body; raises NotRead."""
        return _arrived(asyncio.run_coroutine_threadsafe(self._gather(most, budget), self._loop), budget.slots)

    async def _gather(self, most: int, budget: Budget) -> bytes:
        return await self.in_pieces(most, budget).take(most + 1)

    def in_pieces(self, most: int, budget: Budget, least: int = 0) -> "Coming":
        """Return the body as one that is taken in pieces; it is broken off if less comes than the least."""
        return Coming(self._receive, self._loop, (least, most), budget)


class Coming:
    """A body that is taken in pieces: no more of it is held than is asked for at a time, and one message."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop, bounds: tuple[int, int], budget: Budget) -> None:
        self._receive, self._loop, self._budget = receive, loop, budget
        self._least, self._most = bounds
        self._begun: float | None = None
        self._more = True
        self._size = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes, at least so many until the end, and none after it or after an error; raises NotRead."""
        if not self._more:
            return b""
        coming = asyncio.run_coroutine_threadsafe(self.take(size), self._loop)
        try:
            return _arrived(coming, self._budget.slots)
        except NotRead:
            self._more = False
            raise

    async def take(self, size: int) -> bytes:
        """Await the next bytes, on the event loop."""
        self._begun = self._loop.time() if self._begun is None else self._begun
        pieces, taken = [], 0
        while self._more and taken < size:
            pieces.append(await self._next(self._begun))
            taken += len(pieces[-1])
        if not self._more and self._size < self._least:
            raise _broken_off()
        return b"".join(pieces)

    async def _next(self, begun: float) -> bytes:
        try:
            async with asyncio.timeout_at(begun + self._budget.seconds + self._size / self._budget.rate):
                message = await self._receive()
        except TimeoutError as error:
            raise NotRead(408, "too_slow", f"The body came too slowly: {self._size:,} bytes.") from error
        if message["type"] == "http.disconnect":
            raise _broken_off()
        self._more = message.get("more_body", False)
        body: bytes = message.get("body", b"")
        self._size += len(body)
        if self._size > self._most:
            raise _too_large(self._most)
        return body


def read(request: HttpRequest, *, known: bool) -> None:
    """Read the body of a request, if it has one that is still to come; raises NotRead."""
    sent = request.META.get("wsgi.input")
    if not isinstance(sent, Arriving) or request.method in BODILESS:
        return
    most = settings.LARGEST_BODY if known else min(STRANGERS_BODY, settings.LARGEST_BODY)
    if declared(request.META) > most:
        raise _too_large(most)
    body = sent.gather(most, OF_KNOWN if known else OF_STRANGERS)
    if len(body) < declared(request.META):
        raise _broken_off()
    request.META |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    request._stream = request.META["wsgi.input"]  # what Django reads from


def open_pieces(request: HttpRequest, most: int) -> None:
    """Let a view read the body of a request by a known sender in pieces, which raises NotRead; or raise it here."""
    sent = request.META.get("wsgi.input")
    if declared(request.META) > most:
        raise _too_large(most)
    if isinstance(sent, Arriving):
        body = sent.in_pieces(most, OF_KNOWN, least=declared(request.META))
        request.META["wsgi.input"] = request._stream = cast("BinaryIO", body)  # what Django reads from


def declared(meta: Mapping[str, Any]) -> int:
    """Return the length that a request says its body has."""
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _arrived(coming: Future[bytes], slots: BoundedSemaphore) -> bytes:
    """Return what comes; wait for what is slow to come if not too many are waited for."""
    with suppress(TimeoutError):
        return coming.result(GLANCE)
    if not slots.acquire(blocking=False):
        coming.cancel()
        raise NotRead(503, "busy", "Too many bodies are awaited now; try again.", seconds=1)
    try:
        return coming.result()
    finally:
        slots.release()


def _too_large(most: int) -> NotRead:
    return NotRead(413, "too_large", f"At most {most:,} bytes are accepted.")


def _broken_off() -> NotRead:
    return NotRead(400, "invalid", "The body ends before its length.")
