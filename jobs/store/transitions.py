"""The only statement that changes the states of tasks; it returns the changed tasks as sets of indexes.

It looks each told task up by its key before it updates any. Left to itself the planner may begin at the other end, with
all of a stage's tasks: its statistics are of a moment when none of them was in such a state.
"""

from collections.abc import Mapping
from typing import Any

from database import rows
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move

#: What makes a report count: it is of the task's current attempt, on the node that has it. Without it an older attempt
#: could end a newer one.
ATTEMPT_GUARD = "o.attempt = told.attempt AND o.node_id = told.node_id"
#: How a told row names tasks: one by its index, or a range of them.
ONE = "o.stage_id = told.stage_id AND o.index = told.index"
RANGE = "o.stage_id = told.stage_id AND o.index >= told.low AND o.index < told.high"


def move(told: str, match: str, changes: str, before: frozenset[TaskState], values: Mapping[str, Any]) -> list[Move]:
    """Change tasks as `ask` does, and return what moved."""
    return ask(told, match, changes, before, values)()


def ask(
    told: str, match: str, changes: str, before: frozenset[TaskState], values: Mapping[str, Any]
) -> rows.Answer[list[Move]]:
    """Change tasks that are in one of the states `before`; the answer is what moved, by node, stage and states.

    `told` is an SQL source of rows with an alias `told`, `match` says which tasks `o` a row names, `changes` is the SET
    list for `t`, in which `found` has the told columns. `values` fills in the named parameters of all three.
    """
    statement = f"""WITH found AS (
            SELECT told.*, o.tid, o.before FROM {told} CROSS JOIN LATERAL (
                SELECT o.ctid AS tid, o.state AS before FROM jobs_task o
                WHERE {match} AND o.state = ANY(%(before)s) OFFSET 0
            ) o
        ), moved AS (
            UPDATE jobs_task t SET {changes} FROM found WHERE t.ctid = found.tid
            RETURNING coalesce(t.node_id, 0) AS node, t.stage_id, found.before, t.state AS after, t.index
        )
        SELECT node, stage_id, before, after, range_agg(int4range(index, index + 1))::text FROM moved GROUP BY 1, 2, 3, 4"""
    moved = rows.execute(statement, {**values, "before": [int(state) for state in before]})
    return lambda: [
        Move(node, stage, TaskState(old), TaskState(new), IndexSet.from_multirange(indexes))
        for node, stage, old, new, indexes in sorted(moved.fetchall())
    ]
