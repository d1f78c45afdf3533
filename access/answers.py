"""Errors outside Django REST framework, in the same shape as within."""

from django.http import HttpResponse, JsonResponse

from access.identifying import CHALLENGE


def error(status: int, code: str, detail: str, *, type: str = "client_error") -> JsonResponse:
    """Return an error in the API's one shape."""
    return JsonResponse({"type": type, "errors": [{"code": code, "detail": detail, "attr": None}]}, status=status)


def unidentified(detail: str) -> HttpResponse:
    """Return the answer to a request that does not say who sends it, or says it wrongly."""
    answer = error(401, "not_authenticated", detail)
    answer["WWW-Authenticate"] = CHALLENGE
    return answer


def locked(detail: str, seconds: int) -> HttpResponse:
    """Return the answer to a password that is not looked at for so many seconds."""
    return later(error(429, "locked_out", detail), seconds)


def later(answer: HttpResponse, seconds: int) -> HttpResponse:
    """Say in an answer when to try again, if there is something to wait for."""
    if seconds:
        answer["Retry-After"] = str(seconds)
    return answer


class Sentence(HttpResponse):
    """An error that is one sentence, which wires say in their own shapes."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said, status=status, content_type="text/plain; charset=utf-8")
        self.said = said
