"""Errors that no view answers, as of a path to nowhere: below /api/ in its shape, else Django's pages."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from access import answers

API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself refuses."""
    if request.path.startswith(API):
        return answers.error(400, "invalid", "This request cannot be read.")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a refusal outside the API's own views."""
    if request.path.startswith(API):
        return answers.error(403, "permission_denied", "Not allowed.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that leads nowhere."""
    if request.path.startswith(API):
        return answers.error(404, "not_found", "There is nothing here.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer an error of ours outside the API's own views; what it was is in the log."""
    if request.path.startswith(API):
        return answers.error(500, "error", "Server Error (500)", type="server_error")
    return defaults.server_error(request)
