"""Guarding: check whether the sender of a request satisfies a rule; a refusal is neutral, without words of an API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from access import bodies, opening
from access.bodies import NotRead
from access.identifying import BadCredentials, CsrfFailed, Identity, identify
from access.passwords import LockedOut
from access.roles import Role
from access.rules import PUBLIC, Rule


@dataclass(frozen=True, slots=True)
class Refusal:
    """The status of a refusal and its reason; `seconds` is how long not to try again.

    `code` names what is wrong with a body. `unproven` says that the sender may be somebody with a greater role who has
    not logged in yet.
    """

    status: int
    detail: str
    seconds: int = 0
    unproven: bool = False
    code: str = ""


NOT_PROVIDED = "Authentication credentials were not provided."
CLOSED = Refusal(403, "This route is closed: it names no role.")


class Guarded:
    """A class of plain views that guard themselves, so that they refuse in their own words; cookies do not count."""

    rules: ClassVar[Mapping[str, Rule]] = {}
    #: Methods whose bodies the view takes in pieces, each with the setting that says how large they may be.
    streamed: ClassVar[Mapping[str, str]] = {}

    def guard(self, request: HttpRequest) -> Identity | Refusal | None:
        """Return who sends a request, None for nobody in particular, or why the view must not be asked."""
        request.user = AnonymousUser()
        setting = self.streamed.get((request.method or "").lower())
        known = judge(request, self.rule_for(request.method or ""), getattr(settings, setting) if setting else None)
        if isinstance(known, Identity) and known.user:
            request.user = known.user
        return known

    def rule_for(self, method: str) -> Rule | None:
        """Return the rule of a method; one that the view lacks needs a viewer, who is told so."""
        name = "get" if method == "HEAD" else method.lower()
        return self.rules.get(name, Role.VIEWER if self.rules else None)


def judge(request: HttpRequest, rule: Rule | None, most: int | None = None) -> Identity | Refusal | None:
    """Return who sends a request (None: nobody, and nobody needs to be known), or why a rule refuses it.

    The body is read, or left to be taken in pieces of which there may be `most` bytes.
    """
    try:
        return _judge(request, rule, most)
    except NotRead as error:
        return Refusal(error.status, str(error), error.seconds, code=error.code)


def _judge(request: HttpRequest, rule: Rule | None, most: int | None) -> Identity | Refusal | None:
    """Judge by what stands in the head; only then is the body read."""
    if rule == PUBLIC:
        bodies.read(request, known=False)
        return None
    if not isinstance(rule, Role):
        return CLOSED
    try:
        identity = identify(request)
    except LockedOut as error:
        return Refusal(429, str(error), error.seconds)
    except BadCredentials as error:
        return Refusal(401, str(error))
    except CsrfFailed as error:
        return Refusal(403, str(error))
    if identity is None:
        return _anonymous(request)
    if identity.role is None or not identity.role.includes(rule):
        # On the open loopback people are known by the place alone.
        return Refusal(403, f"This needs the role {rule}.", unproven=identity.via == "loopback")
    if most is None:
        bodies.read(request, known=True)
    else:
        bodies.open_pieces(request, most)
    return identity


def _anonymous(request: HttpRequest) -> Refusal:
    """Return the refusal of a request without credentials; a page of another site is told what its browser adds."""
    origin = opening.foreign_origin(request)
    if origin is None:
        return Refusal(401, NOT_PROVIDED, unproven=True)
    hint = f"A page of the origin {origin:.200} must send a token, and SWITCHYARD_CORS_ORIGINS must name this origin."
    return Refusal(401, f"{NOT_PROVIDED} {hint}", unproven=True)
