"""Stages of a job as plain values, with their counters, their needs and the reasons why they wait."""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from database import rows
from jobs.models import Stage
from jobs.reading.jobs import named_counts
from jobs.store.exact import whole_stage
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.refusals import Refusal, sentences

_FIELDS = (
    "id",
    "position",
    "name",
    "parallelism",
    "counts",
    "open_needs",
    "run_seconds",
    "refusal",
    "reused",
    "rerun",
    "started_at",
    "ended_at",
)
_LISTED = ", ".join(f"{name}::text" if name == "reused" else name for name in _FIELDS)


def stages(job: UUID) -> list[dict[str, Any]]:
    """Return what is shown of each stage of a job, by position."""
    with rows.together():
        return ask_stages(job)()


def ask_stages(job: UUID) -> rows.Answer[list[dict[str, Any]]]:
    """Ask for what is shown of each stage of a job, by position."""
    asked = rows.execute(f"SELECT {_LISTED} FROM jobs_stage WHERE job_id = %s ORDER BY position", [job])
    needs = _ask_needs(job)

    def answer() -> list[dict[str, Any]]:
        found, needed = (_decoded(dict(zip(_FIELDS, row, strict=True))) for row in asked.fetchall()), needs()
        return [_shown(row, needed.get(row["id"], [])) for row in found]

    return answer


def stages_of(job: UUID) -> QuerySet[Stage, Any]:
    """Return the rows of a job's stages by position; pass those that are shown to `complete_stages`."""
    found: QuerySet[Stage, Any] = Stage.objects.filter(job_id=job).order_by("position").values(*_FIELDS)
    return found


def complete_stages(job: UUID, found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add to rows of stages their state, their counters by name, what they need and why they wait."""
    needs = _ask_needs(job)()
    return [_shown(row, needs.get(row["id"], [])) for row in found]


def stage(job: UUID, name: str) -> dict[str, Any] | None:
    """Return what is shown of one stage, with its description."""
    row = Stage.objects.filter(job_id=job, name=name).values(*_FIELDS, "spec", "given").first()
    if row is None:
        return None
    row["spec"] = whole_stage(row["spec"], row.pop("given"))
    return _shown(row, _ask_needs(job)().get(row["id"], []))


def stage_ids(job: UUID) -> dict[str, int]:
    """Return the id of each stage of a job by its name, in the order of their positions."""
    return dict(Stage.objects.filter(job_id=job).order_by("position").values_list("name", "id"))


def last_stages(job: UUID) -> dict[str, int]:
    """Return the id of each stage that no other needs, by name."""
    found = Stage.objects.filter(job_id=job, consumers=None).order_by("position").values_list("name", "id")
    return dict(found)


def has_ended(stage: int) -> bool:
    """Say whether a stage has ended, so that its results are complete."""
    return Stage.objects.filter(id=stage, ended_at__isnull=False).exists()


def infeasible(shown: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return which of the shown stages no registered node could ever meet, and why."""
    return [{"stage": stage["name"], "reason": " ".join(stage["refusal"])} for stage in shown if stage["infeasible"]]


def _ask_needs(job: UUID) -> rows.Answer[dict[int, list[dict[str, Any]]]]:
    asked = rows.execute(
        "SELECT e.consumer_id, p.name, e.exchange, e.buffer FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id "
        "WHERE e.job_id = %s ORDER BY e.id",
        [job],
    )

    def answer() -> dict[int, list[dict[str, Any]]]:
        needs: dict[int, list[dict[str, Any]]] = {}
        for consumer, producer, exchange, buffer in asked.fetchall():
            needs.setdefault(consumer, []).append({"stage": producer, "exchange": exchange, "buffer": buffer})
        return needs

    return answer


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    read = {name: json.loads(row[name]) for name in ("refusal", "rerun") if row[name]}
    return row | read | {"reused": IndexSet.from_multirange(row["reused"])}


def _shown(row: dict[str, Any], needs: list[dict[str, Any]]) -> dict[str, Any]:
    refusal = Refusal.from_dict(row["refusal"]) if row["refusal"] else None
    waits = row["ended_at"] is None and refusal is not None
    return row | {
        "state": state_of(row["counts"], open_needs=row["open_needs"], ended=row["ended_at"] is not None),
        "tasks": named_counts(row["counts"]),
        "needs": needs,
        "refusal": sentences(refusal) if waits and refusal else [],
        "reused": len(row["reused"]),
        "rerun": row["rerun"] or [],
        "infeasible": bool(waits and refusal and refusal.infeasible),
    }


def state_of(counts: Sequence[int], *, open_needs: int, ended: bool) -> str:
    """Say in one word where a stage stands; it has no state of its own beside those of its tasks."""
    if ended:
        return "FAILED" if counts[TaskState.FAILED] else "CANCELED" if counts[TaskState.CANCELED] else "FINISHED"
    if open_needs:
        return "WAITING"
    return "RUNNING" if sum(counts) > counts[TaskState.CREATED] else "READY"
