"""Answers of wires outside views: unknown paths, and input that is refused before any view."""

import re
from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from access.answers import Sentence
from wires.registry import Wire, at_the_root, is_answered, owner

#: Paths that are no wire's, where they lead nowhere too.
OURS = re.compile(r"/(?:admin|api|static|ui)(?:/|\Z)")
Respond = Callable[[HttpRequest], HttpResponse]


class InTheirWords:
    """Stands before all that may refuse a request, and says again in the words of the path's wire what was said in ours."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._respond(request)
        if answer.status_code < 400 or is_answered(request):
            return answer
        wire = owner(request.path_info) or _of_the_root(request, answer)
        said = answer.said if isinstance(answer, Sentence) else ""
        return wire.error(answer.status_code, said) if wire else answer


def _of_the_root(request: HttpRequest, answer: HttpResponse) -> Wire | None:
    """Return the wire that is spoken at the root, for a path to nowhere that no page of ours and no person asks for."""
    if answer.status_code != HTTPStatus.NOT_FOUND or OURS.match(request.path_info):
        return None
    is_person = request.get_preferred_type(["application/json", "text/html"]) == "text/html"
    return None if is_person else at_the_root()
