"""Nodes and switches as values for placement."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from database import rows
from nodes.models import Scheduler
from nodes.trust import VALID_TOKEN
from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.lifecycle.rows import NodeRow, Switches
from switchyard.scheduling.resources import Resources

#: Why a node takes no new work, by what is asked of it, the weightiest first.
_UNAVAILABLE = (
    "inactive",
    "paused",
    "draining",
    "leaving",
    "without a valid token",
    "silent",
    "taking no commands",
    "cut off from Redis",
)


def ask_switches() -> rows.Answer[Switches]:
    """Ask for the cluster-wide switches, and keep them from changing for the rest of the transaction."""
    asked = rows.execute("SELECT paused, strategy, allocation, allocation_of::text FROM nodes_scheduler FOR SHARE")

    def answer() -> Switches:
        found = asked.fetchall()
        # The row is made again by whoever shows it or surveys (nodes.reading); until then all is as at first.
        return _switches(*found[0]) if found else _switches_at_first()

    return answer


def ask_nodes() -> rows.Answer[list[NodeRow]]:
    """Ask for the registered nodes in the order of their ids."""
    asked = rows.execute(
        "SELECT id, name, pool, labels::text, slot_cpus, session, last_entry, pause_epoch, active, paused, draining, "
        f"""figures @> '{{"leaving": true}}', NOT {VALID_TOKEN}, silent_since, deaf_since, """
        """figures @> '{"broker": "away"}', """
        "split_part(figures ->> 'fault', ':', 1) "
        "FROM nodes_node n WHERE session <> '' ORDER BY id"
    )
    return lambda: [_node_row(*row) for row in asked.fetchall()]


def sessions() -> set[str]:
    """Return the sessions that there are."""
    return {session for (session,) in rows.fetch("SELECT session FROM nodes_node WHERE session <> ''")}


def totals(nodes: Iterable[int]) -> dict[int, dict[str, int]]:
    """Return what nodes have, by node and resource."""
    found: dict[int, dict[str, int]] = {node: {} for node in nodes}
    for node, name, total in rows.fetch(
        "SELECT node_id, name, total FROM nodes_noderesource WHERE node_id = ANY(%s)", [list(found)]
    ):
        found[node][name] = total
    return found


def last_reports(nodes: list[int]) -> dict[int, int]:
    """Return the number of the last report of each node that was applied."""
    return dict(rows.fetch("SELECT id, last_report FROM nodes_node WHERE id = ANY(%s)", [nodes]))


def ask_resources(nodes: list[int] | None = None) -> rows.Answer[list[tuple[int, str, int, int, int]]]:
    """Ask for the resources of these nodes, or of all: node, name, total, capacity and what is held of it."""
    every = "SELECT node_id, name, total, capacity, held FROM nodes_noderesource"
    return (rows.execute(every) if nodes is None else rows.execute(f"{every} WHERE node_id = ANY(%s)", [nodes])).fetchall


def ask_views() -> rows.Answer[list[NodeView]]:
    """Ask for the registered nodes with what they have and what of it is free."""
    resources, nodes = ask_resources(), ask_nodes()

    def answer() -> list[NodeView]:
        totals: dict[int, dict[str, int]] = defaultdict(dict)
        free: dict[int, dict[str, int]] = defaultdict(dict)
        for node, name, total, _, held in resources():
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
            for node in nodes()
        ]

    return answer


def _switches_at_first() -> Switches:
    made = Scheduler()
    return Switches(made.paused, made.strategy, made.allocation, made.allocation_of)


def _switches(paused: bool, strategy: str, allocation: str, named: str) -> Switches:  # noqa: FBT001 - a column of the row
    return Switches(paused, strategy, allocation, json.loads(named))


def _node_row(id_: int, name: str, pool: str, labels: str, *rest: Any) -> NodeRow:
    slot_cpus, session, last_entry, pause_epoch, active, *flags, fault = rest
    unavailable = next((word for word, holds in zip(_UNAVAILABLE, (not active, *flags), strict=True) if holds), None)
    return NodeRow(
        id_, name, pool, json.loads(labels), slot_cpus, session, last_entry, pause_epoch, unavailable or fault or None
    )
