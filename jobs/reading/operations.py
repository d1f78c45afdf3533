"""Operations as they are shown."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from jobs.commands.planning import described
from jobs.models import Operation, Stage
from switchyard.scheduling.lifecycle.operations import Kind

IN_PROGRESS, COMPLETED = "IN_PROGRESS", "COMPLETED"
STATES = (IN_PROGRESS, COMPLETED)
_FIELDS = ("id", "number", "kind", "arguments", "requested_by", "requested_at", "deadline", "ended_at", "outcome", "failure")


def operations() -> QuerySet[Operation, Any]:
    """Return what is read of operations."""
    found: QuerySet[Operation, Any] = Operation.objects.values(*_FIELDS, "job_id", job_number=F("job__number"))
    return found


def shown(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return operations with their states, and their failures by name and text."""
    return [
        row
        | {
            "job": row["job_id"],
            "state": IN_PROGRESS if row["ended_at"] is None else COMPLETED,
            "failure": row["failure"] and dict(zip(("name", "text"), row["failure"], strict=True)),
        }
        for row in found
    ]


def operation(id_: UUID) -> dict[str, Any] | None:
    """Return an operation; a plan with the description, which lists leave out."""
    found = next(iter(shown(operations().filter(id=id_))), None)
    if found and found["kind"] == Kind.PLAN and found["outcome"]:
        found["outcome"] |= {"description": planned(found)}
    return found


def planned(found: dict[str, Any]) -> dict[str, Any]:
    """Return the description that a plan has ended with."""
    ((stage,),) = Stage.objects.filter(job_id=found["job_id"]).values_list("id")
    return described(stage, found["arguments"])


def last(job: UUID, kind: Kind) -> dict[str, Any] | None:
    """Return the newest operation of a kind on a job."""
    return next(iter(shown(operations().filter(job_id=job, kind=kind).order_by("-number")[:1])), None)


def of_job(job: UUID, most: int) -> list[dict[str, Any]]:
    """Return the newest operations on a job."""
    return shown(operations().filter(job_id=job).order_by("-number")[:most])
