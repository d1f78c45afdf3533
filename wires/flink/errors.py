"""Flink's errors: a list of texts, of which clients show the first. A wrong verb leads nowhere: never a 405."""

import re
from http import HTTPStatus

from django.http import HttpResponse

from scheduling.errors import SwitchyardError
from wires.answering import answer
from wires.registry import Wire
from wires.statuses import STATUSES

JSON = "application/json; charset=UTF-8"


class NotStoppable(SwitchyardError):
    """Job termination (STOP) failed: the job fails or is being canceled."""


class SwitchedOff(SwitchyardError):
    """This is switched off here."""


def error(status: int, detail: str) -> HttpResponse:
    """Return an error."""
    return answer({"errors": [detail or HTTPStatus(status).phrase]}, status, content_type=JSON)


def wrong_verb() -> HttpResponse:
    """Return the answer to a method that a route does not take."""
    return error(HTTPStatus.NOT_FOUND, "Not found.")


WIRE = Wire(
    name="flink",
    owns=re.compile(
        r"/(?:v1/)?(?:cluster|config|datasets|jars|jobmanager|jobs|overview|savepoint-disposal|taskmanagers)(?:/|\Z)|/v1(?:/|\Z)"
    ),
    statuses=STATUSES | {NotStoppable: 409, SwitchedOff: 503},
    error=error,
    wrong_verb=wrong_verb,
)
