"""Snapshots: several questions answered as of one moment."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connection, transaction
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from psycopg import IsolationLevel


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Let all that is read meanwhile be of one moment; inside a transaction it is of that transaction."""
    if connection.in_atomic_block:
        yield
        return
    with _repeatable(), transaction.atomic():
        yield


def of_one_moment(make: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """Make an answer as of one moment, up to the end of a list that is read while it is sent."""
    with ExitStack() as held:
        held.enter_context(one_snapshot())
        made = make()
        if isinstance(made, StreamingHttpResponse):
            made.streaming_content = _Sent(iter(made), held.pop_all())
        return made


class _Sent:
    """A list in pieces that is sent; what it is read from is held until the answer is closed."""

    def __init__(self, pieces: Iterable[Any], held: ExitStack) -> None:
        self._pieces = pieces
        self._held = held

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pieces)

    def close(self) -> None:
        """Let go of it."""
        self._held.close()


@contextmanager
def _repeatable() -> Iterator[None]:
    """Let the next transaction of this thread's connection begin as repeatable read, without a statement of its own."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    opened = connection.connection
    usual, opened.isolation_level = opened.isolation_level, IsolationLevel.REPEATABLE_READ
    try:
        yield
    finally:
        if not opened.closed:
            opened.isolation_level = usual
