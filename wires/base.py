"""The base class of all wires' views.

Plain Django: no parsers, no renderers, no negotiation, no redirects. A request is a path, a query and raw bytes, whatever
its Content-Type and Accept say; cookies identify nobody, so that no CSRF token is asked for.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, RawPostDataException, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.decorators import classonlymethod
from django.views import View

from access.bodies import NotRead, declared
from access.guarding import Guarded, Refusal
from access.identifying import Identity
from access.roles import Role
from access.rules import PUBLIC
from database.snapshots import of_one_moment
from switchyard.scheduling.errors import SwitchyardError, TooLarge
from wires import cors
from wires.reading import Unreadable
from wires.registry import Wire, mark_answered

MIB = 1024 * 1024
PIECE = 256 * 1024


class WireView(Guarded, View):
    """Lets a request pass by its rule, and answers refusals and errors in the words of the wire.

    `rules` says what each method needs by what it means: a POST that only reads is a viewer's.
    """

    wire: ClassVar[Wire]
    largest_body: ClassVar[int] = MIB
    identity: Identity | None = None

    @classonlymethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., HttpResponseBase]:  # noqa: N805  a class method by another name
        """Return the view as a function, exempt from CSRF for it never looks at cookies."""
        view: Any = super().as_view(**initkwargs)
        view.csrf_exempt = True
        made: Callable[..., HttpResponseBase] = view
        return made

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a request; what no view foresees is left to Django."""
        if cors.is_preflight(request):
            return cors.preflight(request, self.methods)
        answer = self._guarded(request, **kwargs)
        cors.open_to(request, answer, by_token=self.identity is not None and self.identity.via == "token")
        mark_answered(request)
        return answer

    @property
    def methods(self) -> list[str]:
        """The methods that this route takes."""
        return [name.upper() for name in ("get", "head", "post", "put", "patch", "delete") if hasattr(self, name)]

    @property
    def sender(self) -> Identity:
        """Who sends a request that a rule has let pass."""
        assert self.identity is not None, "a rule that names a role lets nobody pass who is not known"
        return self.identity

    def body(self) -> bytes:
        """Return the bytes of the request; raises TooLarge, or Unreadable for what was broken off."""
        try:
            read = self.request.body
        except (UnreadablePostError, RawPostDataException) as error:
            raise Unreadable from error
        if len(read) > self.largest_body:
            raise TooLarge(f"At most {self.largest_body:,} bytes are accepted here.")
        if len(read) < declared(self.request.META):
            raise Unreadable("The body ends before its length.")
        return read

    def _guarded(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        known = self.guard(request)
        if isinstance(known, Refusal):
            return self.wire.refused(known)
        self.identity = known
        if (request.method or "") not in self.methods:
            return self._wrong_verb()
        try:
            handled = partial(self._handled, request, **kwargs)
            return of_one_moment(handled) if self._reads() else handled()
        except NotRead as error:
            return self.wire.refused(Refusal(error.status, str(error), error.seconds, code=error.code))
        except SwitchyardError as error:
            return self.wire.failed(error)
        finally:
            self._take_rest(request)

    def _take_rest(self, request: HttpRequest) -> None:
        """Let the rest of a body come that was not taken: many clients look for no answer before it is sent."""
        if self.streamed.get((request.method or "").lower()):
            with suppress(NotRead, OSError):
                while request.read(PIECE):
                    continue

    def _reads(self) -> bool:
        """Return whether this request changes nothing: it needs no more than a viewer."""
        return self.rule_for(self.request.method or "") in (Role.VIEWER, PUBLIC)

    def _wrong_verb(self) -> HttpResponse:
        answer = self.wire.wrong_verb()
        if answer.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            answer["Allow"] = ", ".join(self.methods)
        return answer

    def _handled(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        handler: Callable[..., HttpResponse] = getattr(self, (request.method or "").lower())
        return handler(request, **kwargs)
