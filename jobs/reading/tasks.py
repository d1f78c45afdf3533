"""Tasks and their attempts as plain values. Lists are paged by the primary key."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from database import rows
from jobs.models import Attempt, Task
from jobs.reading.files import as_files
from jobs.reading.retries import origin
from jobs.store.columns import JSON, SHOWN, SHOWN_IN_FULL
from nodes.reading import names_of
from switchyard.scheduling.lifecycle.states import TaskState

_RECORD = ("state", *SHOWN)
_FIELDS = ("stage_id", "index", *_RECORD, "failures", "losses", "not_before")
_LISTED = ", ".join(f'"{name}"' for name in _FIELDS)
_REUSED = "(SELECT s.reused @> jobs_task.index FROM jobs_stage s WHERE s.id = jobs_task.stage_id)"


class Place(NamedTuple):
    """A task's place in the order of lists: the id of its stage, and its index."""

    stage: int
    task: int


BEFORE_ALL = Place(0, -1)


def tasks(
    stages: Collection[int], *, states: Collection[TaskState] = (), after: Place = BEFORE_ALL, limit: int
) -> list[dict[str, Any]]:
    """Return what lists show of the tasks of some stages, by stage and index, beginning after a place."""
    wanted = states or tuple(TaskState)
    found = rows.fetch(
        f"SELECT {_LISTED}, {_REUSED} FROM jobs_task WHERE stage_id = ANY(%s) AND (stage_id, index) > (%s, %s) "
        "AND state = ANY(%s) ORDER BY stage_id, index LIMIT %s",
        [list(stages), *after, [int(state) for state in wanted], limit],
    )
    return _named([_decoded(dict(zip((*_FIELDS, "reused"), row, strict=True))) for row in found])


def task(stage: int, index: int) -> dict[str, Any] | None:
    """Return what is shown of one task in full: its result, and its attempts from the first to the current one."""
    fields = (*_FIELDS, *SHOWN_IN_FULL)
    row = Task.objects.filter(stage_id=stage, index=index).values(*fields).first()
    if row is None:
        return None
    older = Attempt.objects.filter(stage_id=stage, index=index).order_by("attempt").values(*_RECORD)
    current, *attempts = _named([row, *older])
    attempts.append({name: current[name] for name in (*_RECORD, "node")})
    made_by = origin(stage, index)
    whole = {"attempts": attempts, "files": as_files(current["files"])}
    return current | whole | {"reused": made_by is not None, "reused_from": made_by}


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """Read the JSON that rows hold as text."""
    return row | {name: row[name] and json.loads(row[name]) for name in JSON}


def _named(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    nodes = names_of({row["node_id"] for row in found if row["node_id"] is not None})
    return [_shown(row, nodes) for row in found]


def _shown(row: dict[str, Any], nodes: dict[int, str]) -> dict[str, Any]:
    metrics = row["metrics"]
    return row | {
        "state": TaskState(row["state"]).name,
        "node": nodes.get(row["node_id"]),
        "progress": metrics.get("progress") if isinstance(metrics, dict) else None,
    }


def with_stage_names(found: Iterable[dict[str, Any]], names: dict[int, str]) -> list[dict[str, Any]]:
    """Add to each shown task the name of its stage."""
    return [row | {"stage": names[row["stage_id"]]} for row in found]


def attempt_of(stage: int, index: int, attempt: int | None) -> dict[str, Any] | None:
    """Return what is recorded of an attempt of a task, without a number of its current one; None if there is none."""
    fields = ("attempt", "ended_at", "logs")
    rows_of = Task.objects.filter(stage_id=stage, index=index).values(*fields)
    current: dict[str, Any] | None = rows_of.first()
    if current is None or attempt in (None, current["attempt"]):
        return current
    older = Attempt.objects.filter(stage_id=stage, index=index, attempt=attempt).values(*fields)
    found: dict[str, Any] | None = older.first()
    return found
