"""Identifying: the sender of a request, for our API, the wires and the pages. Rules decide permissions."""

import base64
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from access import bodies, opening, passwords, tokens
from access.roles import Role, lower, role_of
from switchyard.scheduling.errors import SwitchyardError

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
#: Answered to a 401. Not Basic, which would make browsers ask for a password.
CHALLENGE = 'Bearer realm="switchyard"'
_KEPT_AS = "_switchyard_identity"

Via = Literal["token", "basic", "session", "loopback", "operation"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, in which role (None: none yet), and how we know; by a token, by which. Agents have no user.

    `operation` is the server itself, which goes on with what the user has asked for (access.acting).
    """

    user: User | None
    role: Role | None
    via: Via
    token: int | None = None

    @property
    def name(self) -> str:
        """Return the name to show and to write into the audit."""
        return self.user.get_username() if self.user else "agent"


class BadCredentials(SwitchyardError):
    """The credentials of this request are not valid."""


class CsrfFailed(SwitchyardError):
    """The session's cookie came without the CSRF token that proves that a page of ours sent the request."""


def identify(request: HttpRequest) -> Identity | None:
    """Return who sends a request, or None if it says nothing about it.

    Raises BadCredentials for an Authorization header that is wrong in any way, whatever else there is, LockedOut
    after too many of them with passwords, CsrfFailed for a change that rests on a cookie alone, and NotRead for one
    whose token would stand in a body that does not come.
    """
    if not hasattr(request, _KEPT_AS):
        setattr(request, _KEPT_AS, _outcome(request))
    kept: Identity | SwitchyardError | None = getattr(request, _KEPT_AS)
    if isinstance(kept, SwitchyardError):
        raise kept
    return kept


def _outcome(request: HttpRequest) -> Identity | SwitchyardError | None:
    """Return an error as well, so that a password is looked at once a request."""
    try:
        return _identify(request)
    except SwitchyardError as error:
        return error


def _identify(request: HttpRequest) -> Identity | None:
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is not None:
        return _by_header(request, header)
    return _by_session(request) or _by_loopback(request)


def _by_header(request: HttpRequest, header: str) -> Identity:
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "token" | "bearer":
            return _by_token(value.strip())
        case "basic":
            return _by_password(request, value.strip())
    raise BadCredentials


def _by_token(secret: str) -> Identity:
    token = tokens.find(secret)
    if token is None:
        raise BadCredentials
    cap = Role(token.role)
    if token.owner is None:
        return Identity(None, cap, "token", token.id)
    role = role_of(token.owner)
    return Identity(token.owner, role and lower(role, cap), "token", token.id)


def _by_password(request: HttpRequest, value: str) -> Identity:
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError as error:
        # Not ASCII, not base64 or not UTF-8.
        raise BadCredentials from error
    if not colon or "\x00" in name:
        raise BadCredentials
    user = passwords.check(request, name, password)
    if user is None:
        raise BadCredentials
    return Identity(user, role_of(user), "basic")


def _by_session(request: HttpRequest) -> Identity | None:
    user: User | AnonymousUser | None = getattr(request, "user", None)
    if not isinstance(user, User) or not user.is_active:
        return None
    if request.method not in SAFE_METHODS:
        _require_csrf(request)
    return Identity(user, role_of(user), "session")


def _by_loopback(request: HttpRequest) -> Identity | None:
    role = opening.role_for(request)
    return Identity(opening.local_user(), role, "loopback") if role else None


class _CsrfCheck(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _require_csrf(request: HttpRequest) -> None:
    if settings.CSRF_HEADER_NAME in request.META:
        # Django would look for the token of a POST in the body first, which may be an upload that a view takes in pieces.
        request = copy(request)
        request.method = "PUT"
    else:
        bodies.read(request, known=True)
    check = _CsrfCheck(_nothing)
    check.process_request(request)
    # A view that is exempt for the sake of tokens is not so for cookies.
    if check.process_view(request, _nothing, (), {}):
        raise CsrfFailed


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
