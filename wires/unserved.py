"""Known APIs that are not served: their paths name the missing feature."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.urls import re_path

from access.roles import Role
from access.rules import Rule
from wires.answering import empty
from wires.base import WireView
from wires.registry import Wire
from wires.statuses import STATUSES

TEXT = "text/plain; charset=utf-8"
NO_VODA = "The API of Voda is not served here. Jobs are submitted at POST /api/v1/jobs and listed at GET /api/v1/jobs."


def _text(status: int, detail: str) -> HttpResponse:
    return HttpResponse(detail or HTTPStatus(status).phrase, status=status, content_type=TEXT)


VODA = Wire(
    name="voda",
    owns=re.compile(r"/(?:training|algorithm|ratelimit|allocation)(?:/|\Z)"),
    statuses=STATUSES,
    error=_text,
    wrong_verb=lambda: empty(HTTPStatus.METHOD_NOT_ALLOWED),
)


class VodaView(WireView):
    """A path of Voda."""

    wire = VODA
    rules: ClassVar[Mapping[str, Rule]] = dict.fromkeys(("get", "post", "put", "delete"), Role.VIEWER)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Say what is missing."""
        return _text(HTTPStatus.NOT_IMPLEMENTED, NO_VODA)

    post = put = delete = get


urlpatterns = [re_path(rf"^{path}/?$", VodaView.as_view()) for path in ("training", "algorithm", "ratelimit", "allocation")]
