"""A restarted agent has a new session, and keeps the list of its predecessor."""

from typing import Any

from django.dispatch import receiver

from database import rows
from nodes import generations


@receiver(generations.went_on)
def hand_on(sender: object, *, node: int, old: str, new: str, **_: Any) -> None:
    """Move what stands on a node's list into its new session; the leader sends it there (switchyard.leader.dispatch)."""
    rows.execute("UPDATE jobs_assignment SET session = %s WHERE node_id = %s AND session = %s", [new, node, old])
