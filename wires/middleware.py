"""What no view of a wire answers is told in its words too: paths to nowhere, input that is refused before any view."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from access.answers import Sentence
from wires.registry import is_answered, owner

Respond = Callable[[HttpRequest], HttpResponse]


class InTheirWords:
    """Stands before all that may refuse a request, and says again in the words of the path's wire what was said in ours."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._respond(request)
        if answer.status_code < 400 or is_answered(request):
            return answer
        wire = owner(request.path_info)
        said = answer.said if isinstance(answer, Sentence) else ""
        return wire.error(answer.status_code, said) if wire else answer
