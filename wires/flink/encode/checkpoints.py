"""Checkpoints: a job's overview and settings, single ones by vertex, and a vertex of one by subtask."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wires.flink import ids
from wires.flink.encode.failures import cause
from wires.flink.encode.measures import NONE
from wires.flink.encode.savepoints import uri

if TYPE_CHECKING:
    from jobs.reading.checkpoints import Answer, Figures, Overview

Row = Mapping[str, Any]
Shape = dict[str, Any]
#: What Flink says of a checkpoint that can only be gone on from by its own job.
PATH = "<checkpoint-not-externally-addressable>"
SECOND = MILLISECOND = 1000
#: Tasks exchange nothing while they run, so that nothing waits to be aligned.
_UNALIGNED = {"alignment_buffered": 0}


def overview(found: "Overview") -> Shape:
    """Return counts, sums, the latest and the newest checkpoints; of which one tasks went on from nothing is kept."""
    counts = {"in_progress": found.in_progress, "completed": found.completed, "failed": found.failed}
    return {
        "counts": {"restored": 0, "total": sum(counts.values()), **counts},
        "summary": {
            "state_size": found.sizes._asdict(),
            "end_to_end_duration": found.times._asdict(),
            "alignment_buffered": _spread(()),
        },
        "latest": {
            "completed": found.latest_completed and _listed(found.latest_completed),
            "savepoint": found.latest_savepoint and _listed(found.latest_savepoint),
            "failed": found.latest_failed and _listed(found.latest_failed),
            "restored": None,
        },
        "history": [_listed(row) for row in found.history],
    }


def config(rule: Row) -> Shape:
    """Return how often a job has checkpoints."""
    kept = rule["retain_on_cancel"]
    return {
        "mode": rule["mode"],
        **{name: round(rule[name] * SECOND) for name in ("interval", "timeout", "min_pause")},
        "max_concurrent": rule["max_concurrent"],
        "externalization": {"enabled": kept, "delete_on_cancellation": not kept},
    }


def detail(row: Row) -> Shape:
    """Return one checkpoint with the vertices of which it asks tasks."""
    return _listed(row) | {"tasks": {ids.vertex_id(stage["id"]): _part(row, stage) for stage in row["stages"]}}


def subtasks(row: Row, stage: Row, answers: "Sequence[Answer]") -> Shape:
    """Return a vertex of one checkpoint with its subtasks; there are none once their states are deleted."""
    told = [_subtask(row, answer) for answer in answers]
    done = [each for each in told if each["status"] == "completed"]
    summary = {
        "state_size": _spread(each["state_size"] for each in done),
        "end_to_end_duration": _spread(each["end_to_end_duration"] for each in done),
        "checkpoint_duration": {kind: _spread(each["checkpoint"][kind] for each in done) for kind in ("sync", "async")},
        "alignment": {"buffered": _spread(()), "duration": _spread(())},
    }
    return _part(row, stage) | {"summary": summary, "subtasks": told}


def metrics(figures: "Figures | None") -> Shape:
    """Return a job's metrics of its checkpoints: those in progress, completed and failed, size and time of the last."""
    in_progress, completed, failed, size, time = figures or (0, 0, 0, None, None)
    return {
        "numberOfCompletedCheckpoints": completed,
        "numberOfFailedCheckpoints": failed,
        "numberOfInProgressCheckpoints": in_progress,
        "totalNumberOfCheckpoints": completed + failed + in_progress,
        "lastCheckpointDuration": time or 0,
        "lastCheckpointSize": size or 0,
        "lastCheckpointAlignmentBuffered": 0,
        "lastCheckpointRestoreTimestamp": 0,
        "lastCheckpointExternalPath": "n/a" if size is None else PATH,
    }


def _listed(row: Row) -> Shape:
    kind = row["state"].lower()
    more: Shape = {}
    if kind == "completed":
        more = {"external_path": uri(row["location"]) if row["savepoint"] else PATH, "discarded": row["discarded"]}
    elif kind == "failed":
        more = {"failure_timestamp": _ms(row["ended_at"]), "failure_message": row["failure"]}
    told = _part(row, row, ended=row["ended_at"])
    return {
        **_kind(kind),
        "id": told.pop("id"),
        "status": told.pop("status"),
        "is_savepoint": row["savepoint"],
        "trigger_timestamp": _ms(row["triggered_at"]),
        **told,
        "tasks": {},
        **more,
    }


def _part(row: Row, part: Row, *, ended: datetime | None = None) -> Shape:
    """Return what a vertex, or all of them, have answered; a task that had finished counts as one that has."""
    is_whole = row["state"] == "COMPLETED"
    last = part["last_answer_at"] or (row["ended_at"] if is_whole else None)
    until = ended or last
    return {
        "id": row["number"],
        "status": row["state"],
        "latest_ack_timestamp": _ms(last) if last else NONE,
        "state_size": part["size"] or 0,
        "end_to_end_duration": _span(row, until) if until else NONE,
        **_UNALIGNED,
        "num_subtasks": part["tasks"],
        "num_acknowledged_subtasks": part["tasks"] if is_whole else part["answered"] or 0,
    }


def _subtask(row: Row, answer: "Answer") -> Shape:
    at = answer.at or (row["ended_at"] if row["state"] == "COMPLETED" else None)
    if at is None:
        return {**_kind("pending"), "index": answer.task, "status": "pending_or_failed"}
    return {
        **_kind("completed"),
        "index": answer.task,
        "ack_timestamp": _ms(at),
        "end_to_end_duration": _span(row, at),
        "state_size": answer.size,
        "checkpoint": {"sync": answer.sync // MILLISECOND, "async": answer.age // MILLISECOND},
        "alignment": {"buffered": 0, "duration": 0},
        "status": "completed",
    }


def _kind(kind: str) -> Shape:
    """Return which shape follows, by the key of 1.9 and by that of later releases."""
    return {"@class": kind, "className": kind}


def _span(row: Row, until: datetime) -> int:
    return max(_ms(until) - _ms(row["triggered_at"]), 0)


def _spread(values: Iterable[int]) -> Shape:
    found = list(values) or [0]
    return {"min": min(found), "max": max(found), "avg": sum(found) // len(found)}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * SECOND)


def triggered(operation: Row) -> Shape:
    """Return what has become of a checkpoint that somebody asked for."""
    if operation["ended_at"] is None:
        return {"status": {"id": "IN_PROGRESS"}, "operation": None}
    failure = operation["failure"]
    told = {"failureCause": cause(failure["text"])} if failure else {"checkpointId": operation["outcome"]["checkpoint"]}
    return {"status": {"id": "COMPLETED"}, "operation": told}
