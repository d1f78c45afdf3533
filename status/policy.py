"""The content policy of pages: only our own files, no inline scripts, no frames.

The API's own pages are those of Django REST framework and Swagger UI, which have inline styles and a font of icons.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HEADER = "Content-Security-Policy"
_REST = "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
POLICY = f"default-src 'none'; script-src 'self'; style-src 'self'; {_REST}"
INLINE_STYLES = f"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; {_REST}"
#: By the beginning of the path.
POLICIES = {"/ui/": POLICY, "/admin/": POLICY, "/api/": INLINE_STYLES}


class ContentPolicy:
    """Put the policy on every answer under these paths that brings none of its own."""

    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        answer = self._respond(request)
        for begin, policy in POLICIES.items():
            if request.path_info.startswith(begin):
                answer.headers.setdefault(HEADER, policy)
        return answer
