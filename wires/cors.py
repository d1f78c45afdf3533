"""Pages of other origins: those in the settings may read a wire's answers, others only with a token.

Cookies never count here, so that a page can do no more than a program could that holds the same token.
"""

from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from wires.answering import empty

#: Seconds for which a browser may remember what it was told.
REMEMBERED = 600


def is_preflight(request: HttpRequest) -> bool:
    """Say whether a browser asks for a page of an origin that we know what it may send; it sends no token with that."""
    return request.method == "OPTIONS" and _origin(request) is not None


def preflight(request: HttpRequest, methods: Iterable[str]) -> HttpResponse:
    """Return the answer: these methods, and whatever headers were asked for."""
    answer = empty(204)
    answer["Access-Control-Allow-Origin"] = _origin(request) or ""
    answer["Access-Control-Allow-Methods"] = ", ".join([*methods, "OPTIONS"])
    answer["Access-Control-Allow-Headers"] = request.headers.get("Access-Control-Request-Headers", "Authorization")
    answer["Access-Control-Max-Age"] = str(REMEMBERED)
    patch_vary_headers(answer, ["Origin"])
    return answer


def open_to(request: HttpRequest, answer: HttpResponseBase, *, by_token: bool) -> None:
    """Let the page that asked read the answer, if it may."""
    origin = _origin(request)
    if origin or by_token:
        answer["Access-Control-Allow-Origin"] = origin or "*"
        patch_vary_headers(answer, ["Origin"])


def _origin(request: HttpRequest) -> str | None:
    origin: str | None = request.headers.get("Origin")
    return origin if origin in settings.CORS_ORIGINS else None
