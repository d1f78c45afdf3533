"""Savepoints that were asked for, and disposals."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from wires.flink.encode.failures import cause

Row = Mapping[str, Any]
Shape = dict[str, Any]


def triggered(operation: Row) -> Shape:
    """Return what has become of a savepoint."""
    outcome = operation["outcome"]
    return _queued(operation, {"location": uri(outcome["location"])} if outcome else {})


def disposed(operation: Row) -> Shape:
    """Return what has become of a disposal."""
    return _queued(operation, {})


def legacy(operation: Row) -> tuple[Shape, HTTPStatus]:
    """Return what has become of a savepoint, as the older API tells it."""
    number, failure = operation["number"], operation["failure"]
    if operation["ended_at"] is None:
        return {"status": "in-progress", "request-id": number}, HTTPStatus.ACCEPTED
    if failure:
        return {"status": "failed", "request-id": number, "cause": failure["text"]}, HTTPStatus.INTERNAL_SERVER_ERROR
    path = uri(operation["outcome"]["location"])
    return {"status": "success", "request-id": number, "savepoint-path": path}, HTTPStatus.CREATED


def uri(location: str) -> str:
    """Return the URI of a location, as Flink writes it."""
    return f"file:{location}"


def _queued(operation: Row, outcome: Shape) -> Shape:
    if operation["ended_at"] is None:
        return {"status": {"id": "IN_PROGRESS"}, "operation": None}
    failure = operation["failure"]
    return {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": cause(failure["text"])} if failure else outcome}
