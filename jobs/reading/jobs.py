"""Jobs as plain values for lists and pages, read without model instances, by a fixed number of queries.

jobs.reading.stages and jobs.reading.tasks have stages and tasks. Nothing here changes anything.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from database import rows
from jobs.models import Job
from jobs.store.exact import whole_job
from switchyard.scheduling.lifecycle.states import JOB_SUSPENDED, TASK_ENDS, TASK_PLACES, Intent, JobState, TaskState

LARGEST_NUMBER = 2**63 - 1
_FIELDS = (
    "id",
    "number",
    "name",
    "priority",
    "pool",
    "state",
    "intent",
    "suspended_at",
    "suspended_by",
    "suspend_reason",
    "held_reason",
    "error",
    "stages_total",
    "stages_ended",
    "created_at",
    "started_at",
    "ended_at",
    "retried_from_id",
)
_FULL_FIELDS = (*_FIELDS, "failures", "max_failures", "planning_ms", "restored_from", "spec", "config")
_JOINED = ("type", "type_version", "owner_name")
#: Fields of one job by its id, and the sums of its stages' counters.
_ONE = """SELECT {}, t.name, t.version,
    coalesce(j.spec ->> 'owner', u.username), (
        SELECT array_agg(c.tasks ORDER BY c.state) FROM (
            SELECT c.state, sum(c.tasks)::bigint AS tasks
            FROM jobs_stage s, unnest(s.counts) WITH ORDINALITY AS c(tasks, state) WHERE s.job_id = j.id GROUP BY 1
        ) c)
    FROM jobs_job j JOIN jobs_jobtype t ON t.id = j.job_type_id LEFT JOIN auth_user u ON u.id = j.owner_id
    WHERE j.id = %s"""
_IN_SHORT, _IN_FULL = (_ONE.format(", ".join(f"j.{name}" for name in fields)) for fields in (_FIELDS, _FULL_FIELDS))


def jobs() -> QuerySet[Job, Any]:
    """Return what lists show of jobs, newest first; pass the rows that are shown to `completed`."""
    return _joined(_FIELDS).order_by("-number")


def job(id_: UUID) -> dict[str, Any] | None:
    """Return what is shown of one job, apart from its stages."""
    return ask_job(id_)()


def ask_job(id_: UUID) -> rows.Answer[dict[str, Any] | None]:
    """Ask for what is shown of one job."""
    asked = rows.execute(_IN_FULL, [id_])

    def answer() -> dict[str, Any] | None:
        shown = _read(_FULL_FIELDS, asked.fetchall())
        if shown is None:
            return None
        shown["restored_from"] = json.loads(shown["restored_from"] or "null")
        return shown | {"spec": whole_job(json.loads(shown["spec"]), shown.pop("config"))}

    return answer


def summary(id_: UUID) -> dict[str, Any] | None:
    """Return of one job what lists show: where it stands, and not what it was described as."""
    return _read(_FIELDS, rows.fetch(_IN_SHORT, [id_]))


def id_of(key: str) -> UUID | None:
    """Return the id of the job that is named by its id or its number, or None if there is none."""
    return Job.objects.filter(named(key)).values_list("id", flat=True).first()


def named(key: str) -> Q:
    """Return the condition of being the job of this id or number."""
    if key.isascii() and key.isdigit():
        return Q(number=int(key)) if len(key) < 20 and int(key) <= LARGEST_NUMBER else Q(pk__in=())
    try:
        return Q(id=UUID(key))
    except ValueError:
        return Q(pk__in=())


def completed(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Name the states in rows of jobs and add their counters, by one query for all."""
    counts = _counts([row["id"] for row in found])
    return [_complete(row, counts.get(row["id"], [0] * TASK_PLACES)) for row in found]


def named_counts(counts: Sequence[int]) -> dict[str, int]:
    """Return counters by the name of the state, and their total."""
    return {"total": sum(counts)} | {state.name: counts[state] for state in TaskState}


def progress(counts: Sequence[int]) -> float:
    """Return the share of tasks that have ended."""
    total = sum(counts)
    return round(sum(counts[state] for state in TASK_ENDS) / total, 4) if total else 0.0


def _joined(fields: Sequence[str]) -> QuerySet[Job, Any]:
    found: QuerySet[Job, Any] = Job.objects.values(
        *fields,
        type=F("job_type__name"),
        type_version=F("job_type__version"),
        owner_name=Coalesce(KeyTextTransform("owner", "spec"), F("owner__username"), output_field=TextField()),
    )
    return found


def _read(fields: Sequence[str], found: Sequence[Sequence[Any]]) -> dict[str, Any] | None:
    """Return what is shown of the one job that was asked for, or None if it was not found."""
    for *values, counts in found:
        return _complete(dict(zip((*fields, *_JOINED), values, strict=True)), counts or [0] * TASK_PLACES)
    return None


def _complete(row: dict[str, Any], counts: Sequence[int]) -> dict[str, Any]:
    shown = dict(row)
    shown["owner"] = shown.pop("owner_name")
    shown["retried_from"] = shown.pop("retried_from_id")
    shown["state"], shown["intent"] = JobState(row["state"]).name, Intent(row["intent"]).name
    shown["draining"] = row["intent"] == Intent.DRAIN
    at, by, reason = (shown.pop(name) for name in ("suspended_at", "suspended_by", "suspend_reason"))
    shown["suspended"] = {"at": at, "by": by, "reason": reason} if row["state"] in JOB_SUSPENDED else None
    return shown | {"tasks": named_counts(counts), "progress": progress(counts)}


def _counts(ids: list[UUID]) -> dict[UUID, list[int]]:
    found: dict[UUID, list[int]] = {}
    counted = rows.fetch(
        "SELECT s.job_id, c.state - 1, sum(c.tasks) FROM jobs_stage s, unnest(s.counts) WITH ORDINALITY AS c(tasks, state) "
        "WHERE s.job_id = ANY(%s) GROUP BY 1, 2",
        [ids],
    )
    for id_, state, tasks in counted:
        found.setdefault(id_, [0] * TASK_PLACES)[state] = int(tasks)
    return found
