"""Reading the cluster."""

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection

from scheduling.cluster import NodeView
from scheduling.resources import Resources


@dataclass(slots=True)
class NodeRow:
    """What placing needs to know of a node; `unavailable` says in one word why it takes no new work."""

    id: int
    name: str
    pool: str
    labels: dict[str, str]
    slot_cpus: int
    session: str
    last_entry: int
    unavailable: str | None


@dataclass(frozen=True, slots=True)
class Switches:
    """What operators have set for the whole cluster."""

    paused: bool
    strategy: str
    allocation: str


def scheduler_switches() -> Switches:
    """Return the cluster-wide switches, and keep them from changing for the rest of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT paused, strategy, allocation FROM nodes_scheduler FOR SHARE")
        return Switches(*cursor.fetchone())


def node_views() -> list[NodeView]:
    """Return the registered nodes with what they have and what of it is free."""
    totals: dict[int, dict[str, int]] = defaultdict(dict)
    free: dict[int, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute("SELECT node_id, name, total, held FROM nodes_noderesource")
        for node, name, total, held in cursor.fetchall():
            totals[node][name], free[node][name] = total, total - held
    return [
        NodeView(
            id=node.id,
            name=node.name,
            pool=node.pool,
            total=Resources(totals[node.id]),
            free=Resources(free[node.id]),
            labels=node.labels,
            unavailable=node.unavailable,
        )
        for node in placeable_nodes()
    ]


def placeable_nodes() -> list[NodeRow]:
    """Return the registered nodes in the order of their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, pool, labels::text, slot_cpus, session, last_entry, active, paused, draining, silent_since, "
            """figures @> '{"leaving": true}' """
            "FROM nodes_node WHERE session <> '' ORDER BY id"
        )
        return [_node_row(*row) for row in cursor.fetchall()]


def _node_row(id_: int, name: str, pool: str, labels: str, *rest: Any) -> NodeRow:
    slot_cpus, session, last_entry, active, paused, draining, silent_since, leaving = rest
    unavailable = _unavailable(active=active, paused=paused, draining=draining, leaving=leaving, silent_since=silent_since)
    return NodeRow(id_, name, pool, json.loads(labels), slot_cpus, session, last_entry, unavailable)


def _unavailable(*, active: bool, paused: bool, draining: bool, leaving: bool, silent_since: Any) -> str | None:
    if not active:
        return "inactive"
    if paused:
        return "paused"
    if draining:
        return "draining"
    if leaving:
        return "leaving"
    return "silent" if silent_since else None
