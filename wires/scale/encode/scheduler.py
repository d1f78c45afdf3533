"""The scheduler and the version in Scale's words, and the older shape of the status. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from switchyard.scheduling.resources import CPUS, DISK, MEM, WHOLE
from wires.scale.states import QUEUE_MODES

_OLDER_RESOURCES = (CPUS, MEM, DISK)


class Address(NamedTuple):
    """Where something answers."""

    hostname: str
    port: int


class Leading(NamedTuple):
    """The host of the scheduler, and whether it leads now."""

    hostname: str
    online: bool


def older_scheduler(switches: Mapping[str, Any]) -> dict[str, Any]:
    """Tell how the scheduler is set in the older shape."""
    return {"is_paused": switches["paused"]}


def scheduler(switches: Mapping[str, Any]) -> dict[str, Any]:
    """Tell how the scheduler is set."""
    return {
        "is_paused": switches["paused"],
        "num_message_handlers": switches["message_handlers"],
        "queue_mode": QUEUE_MODES[switches["allocation"]],
        "system_logging_level": switches["log_level"],
    }


def older_status(
    switches: Mapping[str, Any],
    resources: Mapping[str, Mapping[str, int]],
    *,
    master: Address,
    leading: Leading,
    queued: int,
) -> dict[str, Any]:
    """Tell of the whole cluster in the older shape."""
    return {
        "master": {"is_online": True, "hostname": master.hostname, "port": master.port},
        "scheduler": {
            "is_online": leading.online,
            "is_paused": switches["paused"],
            "hostname": leading.hostname,
        },
        "queue_depth": queued,
        "resources": {
            "total": {name: _older_amount(name, resources, "total") for name in _OLDER_RESOURCES},
            "scheduled": {name: _older_amount(name, resources, "held") for name in _OLDER_RESOURCES},
            "used": dict.fromkeys(_OLDER_RESOURCES, 0.0),
        },
    }


def version(ours: str) -> dict[str, Any]:
    """Tell the version of this product."""
    return {"version": ours}


def _older_amount(name: str, resources: Mapping[str, Mapping[str, int]], which: str) -> float:
    return round(resources.get(name, {}).get(which, 0) / (WHOLE if name == CPUS else 1), 1)
