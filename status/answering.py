"""Answering with pages: who asks, the whole page or only the part that is refreshed, and what is not there."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from access.identifying import identify
from access.roles import Role
from access.rules import requires
from database.snapshots import of_one_moment

View = Callable[..., HttpResponseBase]


def page(view: View) -> View:
    """Make a view a page: read-only, for viewers, as of one moment, never from a cache."""

    @wraps(view)
    def read(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return of_one_moment(partial(view, request, **kwargs))

    return requires(Role.VIEWER)(never_cache(require_safe(read)))


def answer(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    """Return a page, or its live part alone if the page itself asks for that."""
    folder = "ui/parts" if request.headers.get("HX-Request") else "ui"
    section = {"overview": "overview", "nodes": "nodes", "node": "nodes", "programs": "programs"}.get(name, "jobs")
    return render(request, f"{folder}/{name}.html", context | {"section": section} | _common(request))


def missing(request: HttpRequest, what: str) -> HttpResponse:
    """Say that there is no such thing, and where to look for it."""
    return render(request, "ui/missing.html", {"what": what} | _common(request), status=404)


def _common(request: HttpRequest) -> dict[str, Any]:
    identity = identify(request)
    role = identity.role if identity else None
    return {
        "api": reverse("api"),
        "who": identity,
        "operator": role is not None and role.includes(Role.OPERATOR),
        "admin": role is Role.ADMIN and identity is not None and identity.via == "session",
    }
