"""Savepoints of jobs: by triggers that are polled, and by the older requests that GET alone makes."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import unquote
from uuid import UUID

from django.http import HttpRequest, HttpResponse

from access.roles import Role
from access.rules import Rule
from jobs.commands import checkpoints as commands
from jobs.reading import operations
from jobs.store.manifests import BadLocation
from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.lifecycle.savepoints import Then
from wires.flink import decode, ids
from wires.flink.encode import savepoints as encode
from wires.flink.views.base import FlinkView, existing_job
from wires.flink.views.changing import CHANGES, EndingView
from wires.reading import NotThere, Unreadable

#: What makes a savepoint that was asked for fail at once. It is told to who polls, as Flink does.
FAILURES = (BadLocation, commands.NotRunning, commands.TooManyCheckpoints, commands.NoSuchSavepoint)


class SavingView(FlinkView):
    """A request that writes a savepoint."""

    def saved(self, job: str, then: Then, directory: str | None) -> UUID:
        """Ask for a savepoint, and return the operation, which has failed if none can be written."""
        id_ = existing_job(job)
        try:
            return commands.save(self.sender, id_, then=then, directory=directory)
        except FAILURES as error:
            return commands.failed(self.sender, Kind.SAVEPOINT, error, id_)


class SavepointsView(SavingView):
    """The savepoints of a job."""

    rules: ClassVar[Mapping[str, Rule]] = {"post": Role.OPERATOR}

    def post(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask for one, after which the job goes on or is canceled."""
        asked = decode.saving(self.body())
        operation = self.saved(job, Then.CANCEL if asked.ending else Then.GO_ON, asked.directory)
        return self.told({"request-id": operation.hex}, status=HTTPStatus.ACCEPTED)


class StopView(SavingView, EndingView):
    """The stop of the older API, and of the newer one, which takes a savepoint."""

    rules: ClassVar[Mapping[str, Rule]] = {**CHANGES, "post": Role.OPERATOR}

    def get(self, request: HttpRequest, job: str) -> HttpResponse:
        """Let a job end early."""
        return self.stopped(job)

    delete = get

    def post(self, request: HttpRequest, job: str) -> HttpResponse:
        """Ask for a savepoint, with which the job ends."""
        asked = decode.stopping(self.body())
        operation = self.saved(job, Then.DRAIN if asked.ending else Then.STOP, asked.directory)
        return self.told({"request-id": operation.hex}, status=HTTPStatus.ACCEPTED)


class TriggerView(FlinkView):
    """A savepoint that somebody asked for."""

    def get(self, request: HttpRequest, job: str, trigger: str) -> HttpResponse:
        """Say whether it is written, and where."""
        return self.told(encode.triggered(_operation(trigger, Kind.SAVEPOINT, existing_job(job))))


class DisposalView(FlinkView):
    """The disposal of a savepoint."""

    rules: ClassVar[Mapping[str, Rule]] = {"post": Role.OPERATOR}

    def post(self, request: HttpRequest) -> HttpResponse:
        """Delete it; the answer names what is to be polled."""
        path = decode.disposing(self.body())
        try:
            operation = commands.disposed_at(self.sender, path)
        except FAILURES as error:
            operation = commands.failed(self.sender, Kind.DISPOSAL, error)
        return self.told({"request-id": operation.hex})


class DisposedView(FlinkView):
    """A disposal that somebody asked for."""

    def get(self, request: HttpRequest, trigger: str) -> HttpResponse:
        """Say whether it has ended."""
        return self.told(encode.disposed(_operation(trigger, Kind.DISPOSAL)))


class CancelWithSavepointView(SavingView):
    """A cancel of the older API that takes a savepoint first; it is asked for by GET."""

    rules: ClassVar[Mapping[str, Rule]] = {"get": Role.OPERATOR}

    def get(self, request: HttpRequest, job: str, directory: str | None = None) -> HttpResponse:
        """Ask for it; the answer names what is to be polled, by its number."""
        made = self.saved(job, Then.CANCEL, unquote(directory) if directory else None)
        number = (operations.operation(made) or {})["number"]
        location = f"/jobs/{job}/cancel-with-savepoint/in-progress/{number}"
        told = {"status": "accepted", "request-id": number, "location": location}
        answer = self.told(told, status=HTTPStatus.ACCEPTED)
        answer["Location"] = location
        return answer


class InProgressView(FlinkView):
    """A savepoint of the older API that was asked for."""

    def get(self, request: HttpRequest, job: str, request_id: str) -> HttpResponse:
        """Say whether it is written, and where."""
        id_ = existing_job(job)
        number = int(request_id) if request_id.isascii() and request_id.isdigit() and len(request_id) < 19 else 0
        found = next(iter(operations.shown(operations.operations().filter(job_id=id_, number=number))), None)
        if found is None or found["kind"] != Kind.SAVEPOINT:
            raise Unreadable(f"No request has the id {request_id:.100}.")
        told, status = encode.legacy(found)
        return self.told(told, status=status)


def _operation(trigger: str, kind: Kind, job: UUID | None = None) -> dict[str, Any]:
    key = ids.to_trigger(trigger)
    found = operations.operation(UUID(key))
    if found is None or found["kind"] != kind or (job is not None and found["job_id"] != job):
        raise NotThere(f"Operation not found under key {key}")
    return found
