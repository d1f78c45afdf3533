"""Errors that no view answers, as of a path to nowhere: below /api/ in its shape, else Django's pages."""

import sys
from http import HTTPStatus

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.views import defaults

from access import answers
from artifacts import errors as artifacts
from database import rows
from scheduler_project.exceptions import StorageUnavailable, Unavailable

API = "/api/"
#: What of it no wire may own.
OURS = "/api/v1/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses."""
    if isinstance(exception, DisallowedHost):
        return _unknown_host(request)
    if request.path_info.startswith(API):
        return answers.error(400, "invalid", "This request cannot be read.")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a refusal outside the API's own views."""
    if request.path_info.startswith(API):
        return answers.error(403, "permission_denied", "Not allowed.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that leads nowhere."""
    if request.path_info.startswith(API):
        return answers.error(404, "not_found", "There is nothing here.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error of ours outside the API's own views; what it was is in the log. What is away for now is named."""
    error = sys.exception()
    if isinstance(error, rows.TRANSIENT):
        return _unavailable(request, Unavailable())
    if isinstance(error, artifacts.StorageFull | artifacts.StorageUnavailable):
        return _unavailable(request, StorageUnavailable(str(error)))
    if request.path_info.startswith(API):
        return answers.error(500, "error", "Server Error (500)", type="server_error")
    return defaults.server_error(request)


def _unknown_host(request: HttpRequest) -> HttpResponse:
    host = request.META.get("HTTP_HOST", "")
    said = f"This server does not answer to the name {host:.100}: an operator adds it to SWITCHYARD_HOSTS."
    if request.path_info.startswith(OURS):
        return answers.error(400, "invalid", said)
    return answers.Sentence(400, said)


def _unavailable(request: HttpRequest, why: Unavailable) -> HttpResponse:
    if request.path_info.startswith(API):
        answer: HttpResponse = answers.error(why.status_code, why.default_code, str(why.detail), type="server_error")
    else:
        answer = defaults.server_error(request)
        answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    answer["Retry-After"] = str(why.wait)
    return answer
