"""Generations: each registration of an agent begins one, with its own session and secret. Only the last one is accepted.

The agent draws the secret, and the node keeps its digest: a registration whose answer was lost can be asked again. Who
knows the last secret is the agent of the node, or a copy of it. An agent that starts again comes from the same place (boot
of the machine, and data folder there); its predecessor is gone, since it held the folder's lock. A copy comes from another.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.dispatch import Signal

from database import rows
from nodes.models import Node
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.lifecycle.lost_nodes import LOST

#: Sent in the transaction of a registration that goes on with a session; gives `node`, `old` and `new`, the two sessions.
went_on = Signal()


class NameTaken(SwitchyardError):
    """Another agent runs under this name; stop it, or give this one another name."""


class Occupied(SwitchyardError):
    """Another agent runs as this node."""


class NoAgent(SwitchyardError):
    """This route is for agents: one says in a header which node it is of, and the secret of its registration."""


class SessionEnded(SwitchyardError):
    """This session has ended."""


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest() if secret else ""


def is_known(node: Node, *shown: str) -> bool:
    """Say whether one of these secrets is the node's, or the node has none."""
    return not node.secret or any(secrets.compare_digest(node.secret, digest(secret)) for secret in shown)


def goes_on(node: Node, session: str, secret: str, last_secret: str) -> bool:
    """Say whether a registration goes on with a session: it is the node's last, or was when this was asked before."""
    if not session or node.refused or not is_known(node, secret, last_secret):
        return False
    asked_again = bool(node.secret) and is_known(node, secret)
    return session == node.session or (asked_again and session == node.predecessor)


def require_free(node: Node, info: Mapping[str, Any], *shown: str, resumed: bool) -> None:
    """Raise NameTaken or Occupied while another agent than the one that shows these secrets may run as this node."""
    if not node.session or node.figures.get("left"):
        return
    if not resumed and not (info.get("agent") and info["agent"] == node.info.get("agent")):
        raise NameTaken
    same = is_known(node, *shown) and info.get("place") == node.info.get("place")
    if not same and Node.objects.filter(id=node.id, heard_at__gt=Now() - timedelta(seconds=LOST)).exists():
        raise Occupied(
            f"Another agent runs as this node since {node.registered_at:%Y-%m-%d %H:%M:%S} UTC: stop it, or give this one "
            "a name and a data folder of its own. If this is its successor, it can begin when the other was silent for "
            f"{LOST:.0f} s."
        )


def node_of(identity: str, token: int | None) -> int:
    """Return the node whose last registration gave this identity, which is its id and its secret.

    Raises NoAgent if it is none, SessionEnded if the node has another secret by now, or was registered with another token.
    """
    node, _, secret = identity.partition(" ")
    if not (node.isascii() and node.isdecimal() and len(node) < len(str(2**63)) and secret):
        raise NoAgent
    found = rows.fetch(
        "SELECT id FROM nodes_node WHERE id = %s AND secret = %s AND (token IS NULL OR token = %s)",
        [int(node), digest(secret), token],
    )
    if not found:
        raise SessionEnded
    return int(node)
