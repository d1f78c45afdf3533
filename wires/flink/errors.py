"""Flink's errors: a list of texts, of which clients show the first. A wrong verb is a 404, never a 405."""

import re
from http import HTTPStatus

from django.http import HttpResponse

from switchyard.scheduling.errors import SwitchyardError
from wires.answering import answer
from wires.registry import Wire
from wires.statuses import STATUSES

JSON = "application/json; charset=UTF-8"


class NotStoppable(SwitchyardError):
    """Job termination (STOP) failed: the job fails or is being canceled."""


class NotServed(SwitchyardError):
    """This is not served here. Clients repeat after a 503 until their time is up, but not after a 501."""


class StillCalled(SwitchyardError):
    """What a function of a program describes is not known yet; clients repeat after a 503."""


def error(status: int, detail: str) -> HttpResponse:
    """Return an error."""
    return answer({"errors": [detail or HTTPStatus(status).phrase]}, status, content_type=JSON)


def wrong_verb() -> HttpResponse:
    """Return the answer to a method that a route does not take."""
    return error(HTTPStatus.NOT_FOUND, "Not found.")


WIRE = Wire(
    name="flink",
    owns=re.compile(
        r"/+(?:v[12]/)?(?:cluster|config|datasets|jars|jobmanager|jobs|overview|savepoint-disposal|taskmanagers)(?:/|\Z)|/v1(?:/|\Z)"
    ),
    statuses=STATUSES | {NotStoppable: 409, NotServed: 501, StillCalled: 503},
    error=error,
    wrong_verb=wrong_verb,
    root=True,
)
