"""Identity and rules for views of Django REST framework."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    ErrorDetail,
    NotAuthenticated,
    PermissionDenied,
    Throttled,
    ValidationError,
)
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from access import bodies, opening
from access.bodies import NotRead
from access.identifying import CHALLENGE, BadCredentials, CsrfFailed, Identity, identify
from access.passwords import LockedOut
from access.roles import PEOPLE, Role
from access.rules import PUBLIC, Rule
from database.snapshots import of_one_moment

#: Bytes of a body that are held at a time.
PIECE = 256 * 1024


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
        except NotRead as error:
            raise Unread(error) from error
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


class Unread(APIException):
    """A body that was not read."""

    def __init__(self, why: NotRead) -> None:
        super().__init__(str(why), why.code)
        self.status_code = why.status
        if why.seconds:
            self.wait = why.seconds


class ByRole(BasePermission):
    """Allow what a view's `rules` say of the action (or method, where it has none), deny the rest; then read the body."""

    def has_permission(self, request: Request, view: Any) -> bool:
        rule = rule_for(view, request.method or "")
        role = identity_of(request).role if request.auth else None
        if rule != PUBLIC and not (isinstance(rule, Role) and role and role.includes(rule)):
            return _refused(request)
        most = most_streamed(view, request.method or "")
        try:
            if most is None:
                bodies.read(request._request, known=role is not None)
            else:
                bodies.open_pieces(request._request, most)
        except NotRead as error:
            raise Unread(error) from error
        return True


def _refused(request: Request) -> bool:
    """Return False; name the origin of a page without credentials, which only its browser knows to send."""
    origin = None if request.auth else opening.foreign_origin(request._request)
    if origin:
        raise NotAuthenticated(f"{NotAuthenticated.default_detail} A page of the origin {origin:.200} must send a token.")
    return False


def identity_of(request: Request) -> Identity:
    """Return who sends a request that a rule has let pass."""
    identity: Any = request.auth
    return cast("Identity", identity)


def pieces_of(request: Request) -> Iterator[bytes]:
    """Yield the body of a request to a view that takes it in pieces."""
    try:
        while piece := request._request.read(PIECE):
            yield piece
    except NotRead as error:
        raise Unread(error) from error


def most_streamed(view: Any, method: str) -> int | None:
    """Return how many bytes a body may have that a view takes in pieces; None if it is read as a whole."""
    setting = getattr(view, "streamed", {}).get(_action(view, method))
    return getattr(settings, setting) if setting else None


class Ruled:
    """A view that says what each of its actions needs, and may be asked with: no other parameter is let pass."""

    rules: ClassVar[Mapping[str, Rule]] = {}
    #: Parameters by action (or method), beside those of a list's filters and pages.
    parameters: ClassVar[Mapping[str, Collection[str]]] = {}
    #: Actions whose answer is that to a single question: it is of one moment without a snapshot, which would cost more.
    single: ClassVar[Collection[str]] = ()
    #: Actions (or methods) whose bodies the view takes by `pieces_of`, each with the setting that says how large they may be.
    streamed: ClassVar[Mapping[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a request that may not be, or asks for what the view does not know."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]  # beside a view, which has it
        unknown = sorted(request.query_params.keys() - _parameters(self, request.method or ""))
        if unknown:
            raise ValidationError({name: ["is not a known parameter"] for name in unknown})
        self._read_at_once(request.method or "")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Let the rest of a body come that the view has not taken: many clients look for no answer before it is sent."""
        if self.streamed.get(_action(self, request.method or "")):
            with suppress(Unread, OSError):
                deque(pieces_of(request), maxlen=0)
        finalized: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        return finalized

    def _read_at_once(self, method: str) -> None:
        """Have what people read answered as of one moment, now that it is known who asks."""
        handler = None if _action(self, method) in self.single else getattr(self, method.lower(), None)
        if handler and method in ("GET", "HEAD") and rule_for(self, method) in PEOPLE:
            setattr(self, method.lower(), lambda *args, **kwargs: of_one_moment(partial(handler, *args, **kwargs)))


def rule_for(view: Any, method: str) -> Rule | None:
    """Return the rule of a view for a method; a method that it lacks needs a viewer, who is told so."""
    rules: Mapping[str, Rule] = getattr(view, "rules", {})
    if method == "OPTIONS" or method.lower() not in _offered(view):
        return Role.VIEWER if rules else None
    return rules.get(_action(view, method))


def _action(view: Any, method: str) -> str:
    return getattr(view, "action", None) or ("get" if method == "HEAD" else method.lower())


def _parameters(view: Any, method: str) -> set[str]:
    """Return the parameters that a view takes for a method."""
    action = _action(view, method)
    known = set(view.parameters.get(action, ()))
    if action == "list":
        filters, pages = getattr(view, "filterset_class", None), view.paginator
        known |= set(filters.base_filters) if filters else set()
        known |= {pages.cursor_query_param, pages.page_size_query_param} if pages else set()
    return known


def _offered(view: Any) -> set[str]:
    actions = getattr(view, "action_map", None)
    if actions is not None:
        return {*actions, *({"head"} if "get" in actions else ())}
    return {method.lower() for method in view.allowed_methods} | {"head"}
