"""From errors to answers: one table of the domain's errors, and faults of a description field by field."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig
from drf_standardized_errors.handler import ExceptionHandler
from rest_framework import exceptions, status
from rest_framework.exceptions import APIException

from access.uploads import NotOneFile
from artifacts import errors as artifacts
from database import rows
from jobs.commands import checkpoints, planning, programs, restoring
from jobs.commands import control as jobs
from jobs.commands.idempotency import KeyReused
from jobs.reading.reach import NotPlaced
from jobs.store import manifests
from jobs.store.quotas import OverQuota
from nodes import generations
from nodes import services as nodes
from nodes.versions import OtherVersion
from switchyard.programs.errors import BadArchive, BadEntry
from switchyard.scheduling.errors import InvalidSpec, TooLarge


class PayloadTooLarge(APIException):
    """More bytes than are accepted."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class Forbidden(exceptions.PermissionDenied):
    """More than one user may have."""

    default_code = "over_quota"


class Unprocessable(APIException):
    """Well-formed, but not to be done."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "unprocessable"


class Conflict(APIException):
    """Not in this state."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Occupied(Conflict):
    """Another agent is there."""

    default_code = "occupied"


class SessionEnded(Conflict):
    """An agent that is not heard any more."""

    default_code = "session_ended"


class NoAgent(exceptions.PermissionDenied):
    """For agents that say who they are."""

    default_code = "no_agent"


class NotYours(exceptions.PermissionDenied):
    """For the agent of another node."""

    default_code = "not_yours"


class Unavailable(APIException):
    """The database does not answer now; try again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer now; try again."
    default_code = "unavailable"
    wait = 1  #: seconds, told as Retry-After


class StorageUnavailable(Unavailable):
    """The storage cannot be used now; try again."""

    default_code = "storage_unavailable"


class StorageFull(APIException):
    """The storage takes no more."""

    status_code = status.HTTP_507_INSUFFICIENT_STORAGE
    default_detail = "The storage is full."
    default_code = "storage_full"
    wait = 30  #: seconds, told as Retry-After


class NotYet(APIException):
    """Not now; it may be tried again."""

    status_code = status.HTTP_425_TOO_EARLY
    default_code = "not_yet"
    wait = 5  #: seconds, told as Retry-After


_ANSWERS: dict[type[Exception], type[APIException]] = {
    TooLarge: PayloadTooLarge,
    RequestDataTooBig: PayloadTooLarge,
    ObjectDoesNotExist: exceptions.NotFound,
    programs.NoSuchProgram: exceptions.NotFound,
    planning.MayNotRun: exceptions.PermissionDenied,
    BadArchive: exceptions.ParseError,
    BadEntry: exceptions.ParseError,
    NotOneFile: exceptions.ParseError,
    jobs.NoSuchJob: exceptions.NotFound,
    jobs.StillLive: Conflict,
    jobs.HasSavepoints: Conflict,
    jobs.Stopping: Conflict,
    jobs.NotSuspendable: Conflict,
    checkpoints.NotRunning: Conflict,
    checkpoints.TooManyCheckpoints: Conflict,
    checkpoints.NoSuchSavepoint: exceptions.NotFound,
    manifests.BadLocation: exceptions.ParseError,
    restoring.Damaged: Conflict,
    jobs.NothingToRetry: Conflict,
    KeyReused: Unprocessable,
    OverQuota: Forbidden,
    nodes.NoSuchNode: exceptions.NotFound,
    generations.NameTaken: Conflict,
    generations.Occupied: Occupied,
    generations.SessionEnded: SessionEnded,
    generations.NoAgent: NoAgent,
    NotPlaced: NotYours,
    OtherVersion: Conflict,
    nodes.Deactivated: NotYet,
    nodes.StillThere: Conflict,
    artifacts.NoSuchArtifact: exceptions.NotFound,
    artifacts.WrongDigest: exceptions.ParseError,
    artifacts.TooManyBytes: PayloadTooLarge,
    artifacts.StorageFull: StorageFull,
    artifacts.StorageUnavailable: StorageUnavailable,
}


class Handler(ExceptionHandler):
    """Answer the domain's errors by the table, and what is wrong with a job description field by field."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        if isinstance(exc, InvalidSpec):
            return exceptions.ValidationError(str(exc))
        if isinstance(exc, rows.TRANSIENT):
            return Unavailable()
        for known, answer in _ANSWERS.items():
            if isinstance(exc, known):
                return answer(str(exc))
        converted: Exception = super().convert_known_exceptions(exc)
        return converted

    def format_exception(self, exc: APIException) -> dict[str, Any]:
        if isinstance(self.exc, InvalidSpec):
            return {"type": "validation_error", "errors": [_error(*fault) for fault in self.exc.faults]}
        formatted: dict[str, Any] = super().format_exception(exc)
        return formatted


def _error(path: str, reason: str) -> dict[str, Any]:
    return {"code": "invalid", "detail": reason, "attr": path or None}
