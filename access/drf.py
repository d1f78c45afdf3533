"""The same identity and the same rules for views of Django REST framework."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, PermissionDenied, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from access.identifying import CHALLENGE, BadCredentials, CsrfFailed, Identity, identify
from access.passwords import LockedOut
from access.roles import Role
from access.rules import PUBLIC, Rule


class Identification(BaseAuthentication):
    """Identify a request by `access.identify`."""

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, Identity] | None:
        try:
            identity = identify(request._request)
        except LockedOut as error:
            raise Locked(str(error), error.seconds) from error
        except BadCredentials as error:
            raise AuthenticationFailed(str(error)) from error
        except CsrfFailed as error:
            raise PermissionDenied(str(error)) from error
        return (identity.user or AnonymousUser(), identity) if identity else None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class Locked(Throttled):
    """Too many wrong passwords."""

    extra_detail_singular = extra_detail_plural = ""
    default_code = "locked_out"

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(wait=seconds)
        self.detail = ErrorDetail(detail, self.default_code)


class ByRole(BasePermission):
    """Allow what a view's `rules` say of the action (or method, where it has no actions); deny the rest."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = rule_for(view, request.method or "")
        if rule == PUBLIC:
            return True
        role = identity_of(request).role if request.auth else None
        return bool(isinstance(rule, Role) and role and role.includes(rule))


def identity_of(request: Request) -> Identity:
    """Return who sends a request that a rule has let pass."""
    identity: Any = request.auth
    return cast("Identity", identity)


class Ruled:
    """A view that says what each of its actions needs."""

    rules: ClassVar[Mapping[str, Rule]] = {}


def rule_for(view: Any, method: str) -> Rule | None:
    """Return the rule of a view for a method; a method that it lacks needs a viewer, who is told so."""
    rules: Mapping[str, Rule] = getattr(view, "rules", {})
    if method == "OPTIONS" or method.lower() not in _offered(view):
        return Role.VIEWER if rules else None
    action = getattr(view, "action", None) or ("get" if method == "HEAD" else method.lower())
    return rules.get(action)


def _offered(view: Any) -> set[str]:
    actions = getattr(view, "action_map", None)
    if actions is not None:
        return {*actions, *({"head"} if "get" in actions else ())}
    return {method.lower() for method in view.allowed_methods} | {"head"}
