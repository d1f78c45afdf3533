"""Find agents on one machine that declare together more resources than it has."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q
from django.utils import timezone

from nodes.conditions import OVERSOLD
from nodes.models import Condition, Node, NodeResource

TITLE = "Agents on one machine offer more than it has"


def note(info: Mapping[str, Any]) -> None:
    """Set or lift the warning on the nodes of the machine of an agent that has registered; without a session none has it."""
    machine = info.get("machine")
    boot = machine.get("boot_id") if isinstance(machine, dict) else None
    if not isinstance(machine, dict) or not boot:
        return
    nodes = list(Node.objects.exclude(session="").filter(info__machine__boot_id=boot).order_by("id"))
    Condition.objects.filter(Q(node__in=nodes) | Q(node__session=""), name=OVERSOLD).delete()
    texts = [*_oversold(nodes, "cpus", machine.get("cpus")), *_oversold(nodes, "mem", machine.get("mem"))]
    if len(nodes) > 1 and texts:
        now = timezone.now()
        names = ", ".join(node.name for node in nodes)
        told = f"{names}: {'; '.join(texts)}. Give each a share: --slots, --mem, --disk."[:500]
        Condition.objects.bulk_create(
            Condition(node=node, name=OVERSOLD, kind="warning", title=TITLE, description=told, started_at=now, updated_at=now)
            for node in nodes
        )


def note_left(node: int) -> None:
    """Set or lift the warning on the nodes beside one that has no session any more."""
    note(Node.objects.values_list("info", flat=True).get(id=node))


def _oversold(nodes: Sequence[Node], name: str, whole: object) -> list[str]:
    """Return what is offered of a resource, if that is more than there is."""
    offered = sum(NodeResource.objects.filter(node__in=nodes, name=name).values_list("total", flat=True))
    if not isinstance(whole, int) or offered <= whole:
        return []
    if name == "mem":
        return [f"{offered:,} MiB of memory of {whole:,}"]
    return [f"{offered / 1000:,g} cpus of {whole / 1000:,g}"]
