"""Changes of jobs: submit and cancel, also by the GETs that Flink prescribes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.urls import get_script_prefix

from access.roles import Role
from access.rules import Rule
from jobs.commands import admission, control
from jobs.reading import counts
from switchyard.scheduling.lifecycle.states import JOB_ENDS
from wires.flink import decode, ids
from wires.flink.errors import NotStoppable
from wires.flink.views.base import FlinkView, existing_job
from wires.reading import NotThere, Unreadable

CHANGES: Mapping[str, Rule] = {"get": Role.OPERATOR, "delete": Role.OPERATOR}


class SubmittingView(FlinkView):
    """Takes new jobs."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.VIEWER, "post": Role.OPERATOR}
    largest_body = settings.LARGEST_BODY

    def post(self, request: HttpRequest) -> HttpResponse:
        """Submit the job that one of the files describes, in JSON or YAML; the same Idempotency-Key gives the same job."""
        self.body()
        key = request.headers.get("Idempotency-Key")
        id_ = admission.submit(self.sender, _description(request), admission.id_alone, key=key).shown
        return self.told({"jobUrl": f"{get_script_prefix()}jobs/{ids.job_id(id_)}"}, status=HTTPStatus.ACCEPTED)


class EndingView(FlinkView):
    """Ends jobs."""

    def cancelled(self, job: str) -> HttpResponse:
        """Ask a job to stop all that it does; that may take a while."""
        control.cancel(self.sender, _live(job))
        return self.told({}, status=HTTPStatus.ACCEPTED)

    def stopped(self, job: str) -> HttpResponse:
        """Let only the sources of a job end, and what has begun be worked off."""
        try:
            control.drain(self.sender, _live(job))
        except control.Stopping as error:
            raise NotStoppable from error
        return self.told({}, status=HTTPStatus.ACCEPTED)

    def head(self, request: HttpRequest, job: str) -> HttpResponse:
        """Refuse: a HEAD would change what its GET does."""
        return self.wire.wrong_verb()


class CancelView(EndingView):
    """The cancel of the older API."""

    rules = CHANGES

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask a job to stop."""
        return self.cancelled(job)

    delete = get


class YarnCancelView(EndingView):
    """A cancel for proxies that pass nothing but GET."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.OPERATOR}

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask a job to stop."""
        return self.cancelled(job)


class HeartbeatView(FlinkView):
    """The heartbeat of a client that waits for its job. A job here goes on without its client."""

    rules: ClassVar[Mapping[str, Rule]] = {"patch": Role.OPERATOR}

    def patch(self, request: HttpRequest, job: str) -> HttpResponse:
        """Accept it, if there is such a job."""
        existing_job(job)
        decode.check_heartbeat(self.body())
        return self.told({}, status=HTTPStatus.ACCEPTED)


class YarnStopView(EndingView):
    """A stop for proxies that pass nothing but GET."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.OPERATOR}

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Let a job end early."""
        return self.stopped(job)


def _live(job: str) -> UUID:
    id_ = ids.to_job(job)
    if counts.state(id_) in (None, *JOB_ENDS):
        raise NotThere("Job could not be found.")
    return id_


def _description(request: HttpRequest) -> bytes:
    """Return the file that describes the job; its name stands in a part `request`, which may be a field or a file."""
    try:
        told, files = request.POST.get("request"), request.FILES
    except (MultiPartParserError, BadRequest, SuspiciousOperation, UnicodeError, ValueError) as error:
        raise Unreadable("Could not read the request.") from error
    parts = [(name, file) for name in files for file in files.getlist(name)]
    named = [told.encode()] if told is not None else [file.read() for name, file in parts if name == "request"]
    sent = {file.name or name: file for name, file in parts if name != "request"}
    described: bytes = sent[decode.graph_file(b"".join(named), sent)].read()
    return described
