"""A task that goes down with its nodes again and again may take them down itself: it is not tried again.

Three losses are too many where they were on two nodes, or where there is no second node to try. A task that never comes
to another node is given up in the end all the same.
"""

from collections import defaultdict
from collections.abc import Iterable

from database import rows
from switchyard.scheduling.indexes import IndexSet

#: Losses of a started attempt after which a task is not tried again, and after which it is not even on one node alone.
LOSSES = 3
MOST = 2 * LOSSES


def last_chances(told: Iterable[tuple[int, int, int, int]]) -> dict[int, IndexSet]:
    """Return by stage which of these tasks, told as (node, stage, from, to), may not be lost there once more."""
    values = rows.columns(told, 4)
    found = rows.fetch(
        """SELECT t.stage_id, range_agg(int4range(t.index, t.index + 1))::text
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) AS told(node_id, stage_id, low, high)
        JOIN jobs_task t ON t.stage_id = told.stage_id AND t.index >= told.low AND t.index < told.high
            AND t.node_id = told.node_id AND t.losses + 1 >= %s
        WHERE t.losses + 1 >= %s
            OR EXISTS (SELECT 1 FROM jobs_attempt a WHERE a.stage_id = t.stage_id AND a.index = t.index
                AND a.exit_class = 'lost' AND a.node_id <> t.node_id)
            OR NOT EXISTS (SELECT 1 FROM nodes_node n JOIN nodes_node other ON other.pool = n.pool AND other.id <> n.id
                WHERE n.id = t.node_id AND other.active AND other.session <> '')
        GROUP BY 1""",
        [*values, LOSSES, MOST],
    )
    return defaultdict(IndexSet, {stage: IndexSet.from_multirange(indexes) for stage, indexes in found})


def reason(name: str, indexes: IndexSet) -> str:
    """Say why a job fails whose tasks were quarantined."""
    tasks = ", ".join(str(index) for index in indexes.take(5)[0]) + ("…" if len(indexes) > 5 else "")
    return f"stage {name}: quarantined task {tasks}: lost {LOSSES} times or more with the node that ran it"
