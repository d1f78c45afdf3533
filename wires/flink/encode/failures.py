"""The failure of a job: its cause, the failed attempts, and the history for later dashboards."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import JobState
from wires.flink import states
from wires.flink.encode.classes import UNNAMED, class_of, described
from wires.flink.encode.measures import last_modification
from wires.flink.encode.objects import throwable
from wires.flink.encode.vertices import place

if TYPE_CHECKING:
    from jobs.reading.attempts import Failure
    from jobs.reading.counts import Tally

Names = Mapping[int, str]
#: Failures that are shown.
SHOWN = 20
_FAILED = (JobState.FAILING, JobState.FAILED)


def exceptions(tally: "Tally", failed_at: int | None, found: Sequence["Failure"], names: Names) -> dict[str, Any]:
    """Return why a job fails or failed, and the attempts that failed, of which `found` has one more than is shown."""
    failed = tally.state in _FAILED
    return {
        "root-exception": _root(tally) if failed else None,
        "timestamp": (failed_at or tally.ended or last_modification(tally)) if failed else None,
        "all-exceptions": [_exception(each, names) for each in found[:SHOWN]],
        "truncated": len(found) > SHOWN,
    }


def history(told: Mapping[str, Any], found: Sequence["Failure"], names: Names, *, most: int) -> dict[str, Any]:
    """Return the same as a history, the last failure first; what no attempt brought about stands before them all."""
    entries = [_entry(each, names) for each in found[:most]]
    root = told["root-exception"]
    if root and not any(_text(each).strip() and _text(each).strip() in root for each in found[:most]):
        entries.insert(0, _entry_of(root, told["timestamp"]))
    return {"entries": entries[:most], "truncated": len(found) > most}


def cause(error: str) -> dict[str, str]:
    """Return an error as the cause of a failure."""
    name, message = described(error)
    return {
        "class": name,
        "stack-trace": error,
        "serialized-throwable": b64encode(throwable(name, message, error)).decode(),
    }


def _root(tally: "Tally") -> str:
    return tally.error or "unknown"


def _exception(failure: "Failure", names: Names) -> dict[str, Any]:
    return {
        "exception": _text(failure),
        "task": _task(failure),
        "location": place(failure.node, names).address,
        "timestamp": failure.at or 0,
    }


def _entry(failure: "Failure", names: Names) -> dict[str, Any]:
    where = place(failure.node, names)
    return _entry_of(_text(failure), failure.at or 0) | {
        "exceptionName": _name(failure),
        "taskName": _task(failure),
        "location": where.address,
        "endpoint": where.address,
        "taskManagerId": where.manager,
    }


def _entry_of(error: str, at: int) -> dict[str, Any]:
    return {
        "exceptionName": class_of(error),
        "stacktrace": error,
        "timestamp": at,
        "taskName": None,
        "location": None,
        "endpoint": None,
        "taskManagerId": None,
        "failureLabels": {},
        "concurrentExceptions": [],
    }


def _name(failure: "Failure") -> str:
    """Return the class of an error; if its text names none, one that stands for how the attempt ended."""
    named = class_of(_text(failure))
    return states.EXITS.get(failure.exit_class, UNNAMED) if named == UNNAMED else named


def _text(failure: "Failure") -> str:
    """Return the error of an attempt, or its exit class if it has none: dashboards expect a text."""
    return failure.error or failure.exit_class


def _task(failure: "Failure") -> str:
    return f"{failure.stage} ({failure.task + 1}/{failure.tasks})"
