"""Nodes in Scale's words: the list with its envelope, and single nodes. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from wires.scale.decode import NodeQuery

Row = Mapping[str, Any]


def node(row: Row) -> dict[str, Any]:
    """Tell of a node; its name stands for the host name, by which Scale knows a node."""
    return {
        "id": row["id"],
        "hostname": row["name"],
        "pause_reason": row["pause_reason"] or None,
        "is_paused": is_paused(row),
        "is_active": row["active"],
        "deprecated": iso(row["deactivated_at"]),
        "created": iso(row["created_at"]),
        "last_modified": iso(row["changed_at"]),
    }


def chosen(rows: Iterable[Row], query: NodeQuery) -> list[dict[str, Any]]:
    """Tell of the nodes that are asked for, in the order that is asked for, else by when they last changed."""
    found = [row for row in rows if _is_asked_for(row, query)]
    found.sort(key=lambda row: (row["changed_at"], row["id"]))
    told = [node(row) for row in found]
    for field, reverse in reversed(query.order):
        told.sort(key=lambda item: (item[field] is not None, item[field] or 0), reverse=reverse)
    return told


def page(found: Sequence[Any], query: NodeQuery, link: Callable[[int], str]) -> dict[str, Any] | None:
    """Return one page of a list in its envelope, None if there is no such page; `link` makes the address of another."""
    first, end = (query.page - 1) * query.size, query.page * query.size
    if first and first >= len(found):
        return None
    return {
        "count": len(found),
        "next": link(query.page + 1) if end < len(found) else None,
        "previous": link(query.page - 1) if first else None,
        "results": found[first:end],
    }


def is_paused(row: Row) -> bool:
    """Say whether people keep a node from work: draining is a pause too."""
    return bool(row["paused"] or row["draining"])


def iso(at: datetime | None) -> str | None:
    """Return a time as Scale writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None


def _is_asked_for(row: Row, query: NodeQuery) -> bool:
    if query.is_active not in (None, row["active"]):
        return False
    return (not query.started or row["changed_at"] >= query.started) and (not query.ended or row["changed_at"] <= query.ended)
