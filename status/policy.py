"""The content policy of pages: only our own files, no inline scripts or styles, no frames."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HEADER = "Content-Security-Policy"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGES = ("/ui/", "/admin/")


class ContentPolicy:
    """Put the policy on every answer under /ui/ and /admin/ that brings none of its own."""

    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._respond(request)
        if request.path_info.startswith(PAGES) and HEADER not in answer:
            answer[HEADER] = POLICY
        return answer
