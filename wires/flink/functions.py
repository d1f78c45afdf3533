"""Functions of programs, for clients that wait for their answer: for a while, and then they are to ask again."""

import time
from threading import BoundedSemaphore
from typing import Any
from uuid import UUID

from access.identifying import Identity
from jobs.commands import planning, repeats
from jobs.commands.programs import Call
from jobs.reading import operations
from switchyard.programs.errors import BadEntry
from switchyard.scheduling.lifecycle.operations import Kind
from wires.flink.errors import StillCalled

SECONDS, PAUSE = 10.0, 0.1
#: Requests of a process that wait at once: with those that wait for bodies (access.bodies), fewer than it has threads.
WAITING = BoundedSemaphore(2)


def outcome(by: Identity, program: Any, function: str, call: Call, kind: Kind, key: str | None) -> dict[str, Any]:
    """Return what comes of a function that is called; raises StillCalled, or BadEntry if it has failed.

    The same request again finds the same operation until it is answered; with a key it always does.
    """
    if key is None:
        operation = repeats.ask(by, program, function, call, kind)
    else:
        operation = planning.ask(by, program, function, call, kind, key=key)
    found = _ended(operation)
    repeats.answered(operation)
    if found["failure"]:
        raise BadEntry(found["failure"]["text"])
    told: dict[str, Any] = found["outcome"]
    return told


def _ended(operation: UUID) -> dict[str, Any]:
    found = _look(operation)
    if found is None and WAITING.acquire(blocking=False):
        try:
            deadline = time.monotonic() + SECONDS
            while found is None and time.monotonic() < deadline:
                time.sleep(PAUSE)
                found = _look(operation)
        finally:
            WAITING.release()
    if found is None:
        raise StillCalled(
            f"An agent still calls the function. Send the same request again, or look at /api/v1/operations/{operation}."
        )
    return found


def _look(operation: UUID) -> dict[str, Any] | None:
    found = operations.operation(operation)
    if found is None:
        raise BadEntry("The job that calls the function was deleted.")
    return found if found["ended_at"] else None
