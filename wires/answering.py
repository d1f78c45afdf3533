"""JSON answers: plain values at once, long lists in pieces, so that memory is bounded."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from wires.writing import compact

#: Characters from which on an answer is streamed: about ten thousand rows.
STREAMED = 2_500_000


def answer(value: Any, status: int = 200, *, content_type: str = "application/json") -> HttpResponse:
    """Return an answer that is one JSON value."""
    return HttpResponse(compact(value), status=status, content_type=content_type)


def empty(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer without a body, which is of no type."""
    made = HttpResponse(status=status, headers=headers)
    del made["Content-Type"]
    return made


def in_pieces(texts: Iterator[str], *, content_type: str = "application/json") -> HttpResponseBase:
    """Return an answer of texts that are made while they are sent, if they are many."""
    held, size = [], 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size > STREAMED:
            return StreamingHttpResponse(chain(held, texts), content_type=content_type)
    return HttpResponse("".join(held), content_type=content_type)
