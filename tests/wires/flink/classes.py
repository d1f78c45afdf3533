"""The classes by which the Java clients of 1.5 to 1.9 read each answer, and how strictly they do.

None of these classes ignores a key that it does not know; none may lack one; a number is never null.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Map:
    """An object whose keys are values of an enumeration, or any text."""

    keys: frozenset[str] | None
    value: Any


@dataclass(frozen=True, slots=True)
class Maybe:
    """Something that may be null."""

    kind: Any


#: Those that all releases have.
JOB_STATES = frozenset(
    {
        *("CREATED", "RUNNING", "FAILING", "FAILED", "CANCELLING", "CANCELED", "FINISHED"),
        *("RESTARTING", "SUSPENDED", "RECONCILING"),
    }
)
TASK_STATES = frozenset(
    {*("CREATED", "SCHEDULED", "DEPLOYING", "RUNNING", "FINISHED"), *("CANCELING", "CANCELED", "FAILED", "RECONCILING")}
)
ID = re.compile("[0-9a-f]{32}")
TIMES = {"start-time": int, "end-time": int, "duration": int}
IO = {
    **{f"{way}-{what}": int for way in ("read", "write") for what in ("bytes", "records")},
    **{f"{way}-{what}-complete": bool for way in ("read", "write") for what in ("bytes", "records")},
}
ACCUMULATOR = {"name": str, "type": Maybe(str), "value": Maybe(str)}
HARDWARE = dict.fromkeys(("cpuCores", "physicalMemory", "freeMemory", "managedMemory"), int)
NODE = {
    "id": str,
    "path": str,
    "hardware": HARDWARE,
    **dict.fromkeys(("dataPort", "timeSinceLastHeartbeat", "slotsNumber", "freeSlots"), int),
}
SUBTASK = {"subtask": int, "status": TASK_STATES, "attempt": int, "host": str, **TIMES, "metrics": IO}
COUNTS = Map(TASK_STATES, int)
VERTEX = {
    "id": ID,
    "name": str,
    "parallelism": int,
    "status": TASK_STATES,
    **TIMES,
    "tasks": COUNTS,
    "metrics": IO,
}
JOB = {
    "jid": ID,
    "name": str,
    "isStoppable": bool,
    "state": JOB_STATES,
    **TIMES,
    "now": int,
    "timestamps": Map(JOB_STATES, int),
    "vertices": [VERTEX],
    "status-counts": COUNTS,
    "plan": dict,
}
#: A job as the clients of 1.13 and 1.14 read it.
LATER_JOB = JOB | {"maxParallelism": int, "vertices": [VERTEX | {"maxParallelism": int}]}
MEMORY = {
    **{f"{kind}{name}": int for kind in ("heap", "nonHeap") for name in ("Used", "Committed", "Max")},
    **{f"{kind}{name}": int for kind in ("direct", "mapped") for name in ("Count", "Used", "Max")},
    "memorySegmentsAvailable": int,
    "memorySegmentsTotal": int,
    "garbageCollectors": [{"name": str, "count": int, "time": int}],
}
ROW = {
    "jid": ID,
    "name": str,
    "state": JOB_STATES,
    **TIMES,
    "last-modification": int,
    # The one class that reads its keys by name: `pending` is of the releases before.
    "tasks": Map(frozenset({"total", "pending", *(state.lower() for state in TASK_STATES)}), int),
}
BACK = {
    "status": frozenset({"ok", "deprecated"}),
    "backpressure-level": frozenset({"ok", "low", "high"}),
    "end-timestamp": int,
    "subtasks": [{"subtask": int, "backpressure-level": str, "ratio": (int, float)}],
}
#: What each path answers, by the class that reads it.
MESSAGES: dict[str, Any] = {
    "/config": {
        "refresh-interval": int,
        "timezone-name": str,
        "timezone-offset": int,
        "flink-version": str,
        # The features are of 1.9, which does without none.
        "flink-revision": str,
        "features": {"web-submit": bool},
    },
    "/overview": {
        **dict.fromkeys(("taskmanagers", "slots-total", "slots-available", "jobs-running", "jobs-finished"), int),
        "jobs-cancelled": int,
        "jobs-failed": int,
        "flink-version": str,
        "flink-commit": str,
    },
    "/jars": {"address": str, "files": []},
    "/jobs": {"jobs": [{"id": ID, "status": JOB_STATES}]},
    "/jobs/overview": {"jobs": [ROW]},
    "/jobs/{job}": JOB,
    "/jobs/{job}/accumulators": {
        "job-accumulators": [],
        "user-task-accumulators": [ACCUMULATOR],
        "serialized-user-task-accumulators": Map(None, str),
    },
    "/jobs/{job}/config": {
        "jid": ID,
        "name": str,
        "execution-config": {
            "execution-mode": str,
            "restart-strategy": str,
            "job-parallelism": int,
            "object-reuse-mode": bool,
            "user-config": Map(None, str),
        },
    },
    "/jobs/{job}/exceptions": {
        "root-exception": Maybe(str),
        "timestamp": Maybe(int),
        "truncated": bool,
        "all-exceptions": [{"exception": str, "task": str, "location": str, "timestamp": int}],
    },
    "/jobs/{job}/metrics": [{"id": str}],
    "/jobs/{job}/metrics?get=uptime": [{"id": str, "value": str}],
    "/jobs/metrics?get=uptime": [{"id": str, **dict.fromkeys(("min", "max", "avg", "sum"), float)}],
    "/jobs/{job}/plan": {"plan": dict},
    "/jobs/{job}/vertices/{v0}": {
        "id": ID,
        "name": str,
        "parallelism": int,
        "now": int,
        # Until 1.6 the start is `start_time`, then `start-time`: dashboards of both read what has both.
        "subtasks": [SUBTASK | {"start_time": int}],
    },
    "/jobs/{job}/vertices/{v0}/accumulators": {"id": ID, "user-accumulators": [ACCUMULATOR]},
    "/jobs/{job}/vertices/{v0}/subtasks/0": SUBTASK,
    "/jobs/{job}/vertices/{v0}/subtasks/0/attempts/0": SUBTASK,
    "/jobs/{job}/vertices/{v0}/subtasks/0/attempts/0/accumulators": {
        "subtask": int,
        "attempt": int,
        "id": str,
        "user-accumulators": [ACCUMULATOR],
    },
    "/jobs/{job}/vertices/{v0}/subtasks/accumulators": {
        "id": ID,
        "parallelism": int,
        "subtasks": [{"subtask": int, "attempt": int, "host": str, "user-accumulators": [ACCUMULATOR]}],
    },
    "/jobs/{job}/vertices/{v0}/subtasktimes": {
        "id": ID,
        "name": str,
        "now": int,
        "subtasks": [{"subtask": int, "host": str, "duration": int, "timestamps": Map(TASK_STATES, int)}],
    },
    "/jobs/{job}/vertices/{v0}/taskmanagers": {
        "id": ID,
        "name": str,
        "now": int,
        "taskmanagers": [{"host": str, "status": TASK_STATES, **TIMES, "metrics": IO, "status-counts": COUNTS}],
    },
    "/jobmanager/config": [{"key": str, "value": str}],
    "/jobmanager/metrics?get=numRunningJobs": [{"id": str, "value": str}],
    "/taskmanagers": {"taskmanagers": [NODE]},
    "/taskmanagers/{node}": {**NODE, "metrics": MEMORY},
    "/taskmanagers/{node}/metrics": [{"id": str}],
}


def unread(value: Any, kind: Any, at: str = "") -> Iterator[str]:
    """Yield what of an answer a class cannot read."""
    if isinstance(kind, Maybe):
        yield from () if value is None else unread(value, kind.kind, at)
    elif isinstance(kind, Map):
        yield from (f"{at} has the key {key}" for key in value if kind.keys is not None and key not in kind.keys)
        yield from (what for key, each in value.items() for what in unread(each, kind.value, f"{at}.{key}"))
    elif isinstance(kind, dict):
        if not isinstance(value, dict) or value.keys() != kind.keys():
            yield f"{at} is not of {sorted(kind)}: {value!r:.300}"
        else:
            yield from (what for key, each in kind.items() for what in unread(value[key], each, f"{at}.{key}"))
    elif isinstance(kind, list):
        yield from (what for each in value for what in unread(each, kind[0] if kind else None, f"{at}[]"))
    elif not _is(value, kind):
        yield f"{at} is {value!r:.100}"


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, frozenset):
        return value in kind
    if isinstance(kind, re.Pattern):
        return kind.fullmatch(value) is not None
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
