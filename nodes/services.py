"""Changing the cluster: registration of agents, and what operators do to nodes."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from nodes.models import Node, NodeResource


def register(name: str, *, totals: Mapping[str, int], labels: Mapping[str, str], pool: str, info: Mapping[str, Any]) -> Node:
    """Give the agent of a node a session of its own; the node is made if it is new."""
    with transaction.atomic():
        node, _ = Node.objects.select_for_update().get_or_create(name=name, defaults={"pool": pool})
        node.session = secrets.token_hex(12)
        node.last_report = 0
        node.labels, node.pool, node.info = dict(labels), pool, dict(info)
        node.registered_at = node.heard_at = timezone.now()
        node.silent_since = None
        node.save()
        for resource, total in totals.items():
            NodeResource.objects.update_or_create(
                node=node, name=resource, defaults={"total": total}, create_defaults={"total": total, "capacity": total}
            )
    return node
