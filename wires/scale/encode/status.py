"""The status of the cluster in the shape of v6: current states, figures and rates of the last survey. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wires.scale.encode import executions, resources
from wires.scale.encode.nodes import iso
from wires.scale.encode.scheduler import Address, Leading
from wires.scale.states import SCHEDULER, WORDS, of_node

if TYPE_CHECKING:
    from jobs.reading.snapshot import TypeRow

#: Scale's names of our rates. An offer is a heartbeat of an agent; it is launched when the node is sent tasks.
RATES = {
    "task_updates_per_sec": "task_updates",
    "new_offers_per_sec": "heartbeats",
    "jobs_finished_per_sec": "jobs_finished",
    "jobs_launched_per_sec": "jobs_launched",
    "tasks_launched_per_sec": "tasks_launched",
    "offers_launched_per_sec": "nodes_sent_tasks",
    "tasks_finished_per_sec": "tasks_finished",
}
#: The picture of types of jobs that have none of their own: a gear.
ICON = "f013"
MESSAGES = {"name": "messaging", "title": "Messaging", "description": "Applies what agents report"}
HANDLER = {"type": "message-handler", "title": "Message Handler", "description": "Applies what agents report", "count": 1}
HEALTH = {
    "type": "health-check",
    "title": "Health Check",
    "description": "Looks after the machine every few seconds",
    "count": 1,
}
CLEANUP = {"type": "cleanup", "title": "Node Cleanup", "description": "Removes the working folders of ended attempts"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """All that is told."""

    at: datetime
    rates: Mapping[str, float]
    switches: Mapping[str, Any]
    leading: Leading
    master: Address
    migrated: datetime | None
    types: Sequence["TypeRow"]
    nodes: Sequence[Mapping[str, Any]]
    running: Iterable[tuple[int, int, int]]
    ended: Iterable[tuple[int, int, str, int]]
    cleaned: Mapping[int, int]


def status(cluster: Cluster) -> dict[str, Any]:
    """Tell of the whole cluster."""
    stopped = bool(cluster.switches["paused"])
    states = {
        row["id"]: of_node(row["state"], [one["kind"] for one in row["conditions"]], stopped=stopped) for row in cluster.nodes
    }
    amounts = {
        row["id"]: resources.amounts(row["resources"], states[row["id"]], counts=_counts(row)) for row in cluster.nodes
    }
    counted = executions.counted(cluster.running, cluster.ended)
    handling = _handling(cluster)
    return {
        "timestamp": iso(cluster.at),
        "scheduler": _scheduler(cluster),
        "system": _system(cluster),
        "num_offers": sum(resources.offers(of) for of in amounts.values()),
        "resources": resources.told(resources.together(amounts.values())),
        "job_types": [_type(each) for each in cluster.types],
        "nodes": [
            {
                **_node(row),
                "state": WORDS[states[row["id"]]].told,
                **_conditions(row),
                "node_tasks": _node_tasks(cluster, row),
                "system_tasks": [HANDLER] if row["id"] == handling else [],
                "num_offers": resources.offers(amounts[row["id"]]),
                "resources": resources.told(amounts[row["id"]]),
                "job_executions": executions.told(counted[row["id"]]),
            }
            for row in cluster.nodes
        ],
    }


def _scheduler(cluster: Cluster) -> dict[str, Any]:
    return {
        "metrics": {theirs: _rate(cluster.rates.get(ours, 0.0)) for theirs, ours in RATES.items()},
        "hostname": cluster.leading.hostname,
        "mesos": {
            "framework_id": str(cluster.switches["installation"]),
            "master_hostname": cluster.master.hostname,
            "master_port": cluster.master.port,
        },
        "state": SCHEDULER[bool(cluster.switches["paused"])].told,
        "warnings": [],
    }


def _rate(value: float) -> float:
    """Round a rate as Scale does: the larger, the less exactly."""
    if value > 100:
        return float(round(value))
    return round(value, 1 if value > 10 else 2)


def _system(cluster: Cluster) -> dict[str, Any]:
    counts = {"actual_count": int(cluster.leading.online), "desired_count": cluster.switches["message_handlers"]}
    return {
        "database_update": {"is_completed": True, "completed": iso(cluster.migrated)},
        "services": [{**MESSAGES, **counts}],
    }


def _type(row: "TypeRow") -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "title": row.title or row.name,
        "description": row.description,
        "is_system": False,
        "icon_code": row.icon or ICON,
    }


def _node(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "hostname": row["name"], "agent_id": row["session"], "is_active": row["active"]}


def _conditions(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{kind}s": [_condition(one) for one in row["conditions"] if one["kind"] == kind] for kind in ("error", "warning")
    }


def _condition(one: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: one[name] for name in ("name", "title", "description")}
    return texts | {"started": iso(one["started_at"]), "last_updated": iso(one["updated_at"])}


def _counts(row: Mapping[str, Any]) -> bool:
    """Say whether what a node has is the cluster's: it is active, and has an agent."""
    return bool(row["active"] and row["session"])


def _node_tasks(cluster: Cluster, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell what an agent does for itself: it looks after its machine, and has cleaned up after so many attempts lately."""
    if not _is_heard(row):
        return []
    cleaned = cluster.cleaned.get(row["id"], 0)
    return [HEALTH, {**CLEANUP, "count": cleaned}] if cleaned else [HEALTH]


def _is_heard(row: Mapping[str, Any]) -> bool:
    return row["state"] not in ("GONE", "SILENT") and bool(row["session"])


def _handling(cluster: Cluster) -> int | None:
    """Return the node on whose machine the leader runs, which takes all messages; the first, if there are several."""
    host = cluster.leading.hostname if cluster.leading.online else None
    return next((row["id"] for row in cluster.nodes if host and row["info"].get("host") == host), None)
