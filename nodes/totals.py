"""Sums of the cluster: resources of all nodes, and numbers of nodes by state."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from nodes import reading
from nodes.models import NodeResource
from switchyard.scheduling.resources import CPUS, DISK, GPUS, MEM, is_device

GONE = ("GONE", "INACTIVE")
#: In the order in which people read them.
KNOWN = (CPUS, MEM, DISK, GPUS)


@dataclass(frozen=True, slots=True)
class Summary:
    """Nodes by state (those that there are), and total and held by resource, without nodes that are gone."""

    nodes: dict[str, int]
    resources: dict[str, dict[str, int]]


def summary() -> Summary:
    """Return how many nodes are in which state, and what they have and hold; devices are summed up as `gpus`."""
    nodes = dict(_by("state").values_list("state").annotate(Count("id")))
    there = _by().exclude(state__in=GONE).values("id")
    found = NodeResource.objects.filter(node_id__in=there).values_list("name").annotate(Sum("total"), Sum("held"))
    resources: dict[str, dict[str, int]] = {}
    for name, total, held in found:
        of = resources.setdefault(GPUS if is_device(name) else name, {"total": 0, "held": 0})
        of["total"] += total
        of["held"] += held
    return Summary(nodes, dict(sorted(resources.items(), key=_reading_order)))


def _reading_order(named: tuple[str, object]) -> tuple[int, str]:
    name, _ = named
    return (KNOWN.index(name) if name in KNOWN else len(KNOWN), name)


def _by(*order: str) -> QuerySet[Any, Any]:
    return reading.nodes().order_by(*order)
