"""Find agents that must return tasks that have not started. A pause is settled when each agent has confirmed its epoch."""

from database import rows


def unconfirmed_pauses() -> dict[str, int]:
    """Return the epoch of the pause that each session has yet to confirm."""
    return dict(
        rows.fetch(
            """SELECT n.session, n.pause_epoch FROM nodes_node n, nodes_scheduler s
            WHERE n.session <> '' AND n.pause_epoch > n.confirmed_pause
                AND (n.paused OR n.draining OR s.paused OR NOT n.active)"""
        )
    )
