"""Common parts of this wire's views: two kinds of errors, addresses, and pages for people."""

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from access.roles import Role
from access.rules import Rule
from jobs.reading import selectors
from status.policy import HEADER, POLICY
from wires.answering import answer
from wires.base import WireView
from wires.scale import decode
from wires.scale.encode.scheduler import Address, Leading
from wires.scale.errors import OLDER, WIRE

LAST_PORT = 65535


class OlderView(WireView):
    """A view of the older shapes, for viewers."""

    wire = OLDER
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}


class ScaleView(WireView):
    """A view of the newer shapes, for viewers; what a body may not say is told as a mere text in JSON."""

    wire = WIRE
    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER}

    def _handled(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            return super()._handled(request, **kwargs)
        except decode.Unacceptable as error:
            return answer(str(error), 400)


def browsable(request: HttpRequest, value: dict[str, Any]) -> HttpResponse:
    """Return an answer as JSON, or as a page for people to whose program that is dearer."""
    if request.get_preferred_type(["application/json", "text/html"]) != "text/html":
        told = answer(value)
    else:
        text = json.dumps(value, indent=4, ensure_ascii=False)
        told = render(request, "wires/scale/status.html", {"path": request.get_full_path(), "text": text})
        told[HEADER] = POLICY
    patch_vary_headers(told, ["Accept"])
    return told


def master(request: HttpRequest) -> Address:
    """Return where this API answers, as the client names it."""
    found = urlsplit(f"//{request.get_host()}")
    return Address(found.hostname or "localhost", _port(found.netloc) or (443 if request.is_secure() else 80))


def _port(netloc: str) -> int:
    """Return the port of a host, 0 if it names none, or none that there can be."""
    digits = re.search(r":([0-9]{1,5})\Z", netloc)
    port = int(digits[1]) if digits else 0
    return port if port <= LAST_PORT else 0


def scheduler(request: HttpRequest) -> Leading:
    """Return where the scheduler leads, or led last; where this API answers if none ever did."""
    leader = selectors.leader()
    return Leading(leader.host or master(request).hostname, online=leader.alive)
