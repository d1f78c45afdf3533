"""Checks before every view: they refuse invalid input and close routes without a rule."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import Resolver404, resolve, reverse
from rest_framework.permissions import BasePermission

from access import answers, guarding
from access.bodies import declared
from access.drf import ByRole, most_streamed
from access.guarding import Refusal
from access.rules import rule_of

Respond = Callable[[HttpRequest], HttpResponse]

#: Control characters, and what stands for bytes or surrogates that are no text.
_UNCLEAN = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffd]")


class Clean:
    """Refuse control characters and broken UTF-8 in paths and queries, and bodies too large to be read."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if _UNCLEAN.search(request.path_info):
            return answers.error(404, "not_found", "The path has characters that no path has here.")
        if not _is_clean_query(request.META.get("QUERY_STRING", "")):
            return answers.error(400, "invalid", "The query has control characters or is not UTF-8.")
        if request.META.get("QUERY_STRING", "").count("&") >= settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:
            return answers.error(
                400, "invalid", f"A query has at most {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} parameters."
            )
        if declared(request.META) > settings.LARGEST_BODY and not _is_streamed(request):
            return answers.error(413, "too_large", f"At most {settings.LARGEST_BODY:,} bytes are accepted.")
        return self._respond(request)


class SecureCookies:
    """Keep cookies that are set by HTTPS to HTTPS."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._respond(request)
        if request.is_secure():
            for cookie in answer.cookies.values():
                cookie["secure"] = True
        return answer


class Gate:
    """Let requests pass to a plain view only by the view's rule; views of DRF and those of wires guard themselves."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._respond(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any) -> HttpResponse | None:
        if is_guarded_by_drf(view) or guards_itself(view):
            return None
        match = request.resolver_match
        assert match is not None, "Django resolves a path before it asks middleware about the view"
        rule = rule_of(view, app_names=match.app_names, url_name=match.url_name)
        refused = guarding.judge(request, rule)
        return _answer(request, refused) if isinstance(refused, Refusal) else None


def is_guarded_by_drf(view: Callable[..., Any]) -> bool:
    """Say whether a view of Django REST framework asks for the role by itself."""
    permissions: list[type[BasePermission]] = getattr(getattr(view, "cls", None), "permission_classes", [])
    return ByRole in permissions


def guards_itself(view: Callable[..., Any]) -> bool:
    """Say whether a plain view asks for the role by itself."""
    return issubclass(getattr(view, "view_class", object), guarding.Guarded)


def _is_streamed(request: HttpRequest) -> bool:
    """Say whether a view takes this body in pieces: how large it may be is asked when the sender is known."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return most_streamed(getattr(view, "cls", None), request.method or "") is not None


def _answer(request: HttpRequest, refused: Refusal) -> HttpResponse:
    if refused.status == 429:
        return answers.locked(refused.detail, refused.seconds)
    if refused.code:
        return answers.later(answers.error(refused.status, refused.code, refused.detail), refused.seconds)
    if refused.unproven and (login := _login_page(request)):
        return HttpResponseRedirect(f"{login}?next={quote(request.get_full_path())}")
    if refused.status == 403:
        return answers.error(403, "permission_denied", refused.detail)
    return answers.unidentified(refused.detail)


def _login_page(request: HttpRequest) -> str | None:
    """Return where a browser is sent that asks for a page without saying who it is."""
    if request.method != "GET":
        return None
    if request.path_info.startswith("/ui/"):
        return reverse("login")
    return reverse("admin:login") if request.path_info.startswith("/admin/") else None


def _is_clean_query(query: str) -> bool:
    if not query:
        return True
    try:
        return not _UNCLEAN.search(unquote_to_bytes(query.replace("+", " ")).decode())
    except UnicodeDecodeError:
        return False
