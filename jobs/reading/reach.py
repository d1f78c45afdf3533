"""The stages and attempts that an agent may read and write: those of tasks on its node's list."""

from database import rows
from switchyard.scheduling.errors import SwitchyardError


class NotPlaced(SwitchyardError):
    """Nothing of that is placed on this agent's node."""


def require_stage(node: int, stage: int) -> None:
    """Raise NotPlaced unless tasks of a stage stand on the node's list."""
    _require("SELECT 1 FROM jobs_assignment WHERE stage_id = %s AND node_id = %s LIMIT 1", [stage, node])


def require_attempt(node: int, stage: int, index: int, attempt: int) -> None:
    """Raise NotPlaced unless an attempt is or was placed on the node."""
    task = [stage, index, attempt, node]
    _require(
        "SELECT 1 FROM jobs_task WHERE stage_id = %s AND index = %s AND attempt = %s AND node_id = %s UNION ALL "
        "SELECT 1 FROM jobs_attempt WHERE stage_id = %s AND index = %s AND attempt = %s AND node_id = %s",
        [*task, *task],
    )


def _require(statement: str, values: list[int]) -> None:
    if not rows.fetch(statement, values):
        raise NotPlaced
