"""Ballista's errors: an object with the status, its name and details; plain text for unreadable requests."""

import re
from http import HTTPStatus

from django.http import HttpResponse

from wires.answering import answer, empty
from wires.reading import NotThere
from wires.registry import Wire
from wires.statuses import STATUSES

TEXT = "text/plain; charset=utf-8"
#: What is no news beside a 404.
NOTHING = str(NotThere())


def error(status: int, detail: str) -> HttpResponse:
    """Return an error; a 400 is the words alone, as of its framework when it cannot read a path or a query."""
    if status == HTTPStatus.BAD_REQUEST:
        return HttpResponse(detail or HTTPStatus.BAD_REQUEST.phrase, status=status, content_type=TEXT)
    known = {} if detail in ("", NOTHING) else {"error": detail}
    return answer({"http_code": status, "reason": HTTPStatus(status).phrase, **known}, status)


def wrong_verb() -> HttpResponse:
    """Return the answer to a method that a route does not take."""
    return empty(HTTPStatus.METHOD_NOT_ALLOWED)


WIRE = Wire(
    name="ballista",
    owns=re.compile(r"/api(?!/v1(?:/|\Z))(?:/|\Z)"),
    statuses=STATUSES,
    error=error,
    wrong_verb=wrong_verb,
)
