"""Scale's errors: text in the older shapes, an object with `detail` everywhere else."""

import re
from http import HTTPStatus

from django.http import HttpResponse

from wires.answering import answer
from wires.registry import Wire
from wires.statuses import STATUSES

TEXT = "text/plain; charset=utf-8"
_DETAILS = {
    HTTPStatus.UNAUTHORIZED: "Authentication credentials were not provided.",
    HTTPStatus.NOT_FOUND: "Not found.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Method not allowed.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "An internal error occurred.",
}


def error(status: int, detail: str) -> HttpResponse:
    """Return an error as an object."""
    known = HTTPStatus(status)
    return answer({"detail": _told(known, detail)}, status)


def plain(status: int, detail: str) -> HttpResponse:
    """Return an error of the older shapes: what they document is text, what they do not is an object."""
    if status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR):
        return error(status, detail)
    return HttpResponse(_told(HTTPStatus(status), detail), status=status, content_type=TEXT)


def wrong_verb() -> HttpResponse:
    """Return the answer to a method that a route does not take."""
    return error(HTTPStatus.METHOD_NOT_ALLOWED, "")


def _told(status: HTTPStatus, detail: str) -> str:
    # What is not there is told alike whichever way it was looked for.
    return (
        _DETAILS[status] if status in _DETAILS and (not detail or status == HTTPStatus.NOT_FOUND) else detail or status.phrase
    )


OLDER = Wire(
    name="scale",
    owns=re.compile(r"/(?:v[45]/)?(?:scheduler|status)(?:/|\Z)"),
    statuses=STATUSES,
    error=plain,
    wrong_verb=wrong_verb,
)
#: Version 1 is another wire's prefix.
WIRE = Wire(
    name="scale",
    owns=re.compile(r"/v(?!1(?:/|\Z))[0-9]+(?:/|\Z)"),
    statuses=STATUSES,
    error=error,
    wrong_verb=wrong_verb,
)
#: In the order in which they are asked for a path.
WIRES = (OLDER, WIRE)
