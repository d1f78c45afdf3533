"""Queries and changes of tasks by the leader itself."""

from collections.abc import Collection, Iterable, Sequence

from database import rows
from jobs.store.columns import ARCHIVED, RESET
from jobs.store.results import ended_without
from jobs.store.transitions import RANGE, ask, move
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.facts import Exposed
from switchyard.scheduling.lifecycle.rows import AssignmentRow
from switchyard.scheduling.lifecycle.states import TaskState, sources
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.retry import ExitClass

_RANGES = "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[]) AS told(stage_id, low, high)"
#: The state of an attempt that is over and whose task waits again: to be suspended is no failure.
_ENDED = f"CASE WHEN exit_class = '{ExitClass.SUSPENDED}' THEN {int(TaskState.CANCELED)} ELSE {int(TaskState.FAILED)} END"


def cancel_created(chosen: Sequence[tuple[int, IndexSet]]) -> None:
    """Move tasks of stages from CREATED to CANCELED."""
    values = {**_ranges(chosen), "after": int(TaskState.CANCELED)}
    ask(_RANGES, RANGE, "state = %(after)s, ended_at = now()", frozenset({TaskState.CREATED}), values)


def cancel_listed(chosen: Sequence[tuple[int, IndexSet]]) -> list[Move]:
    """Move listed tasks of stages to CANCELING."""
    values = {**_ranges(chosen), "after": int(TaskState.CANCELING)}
    return move(_RANGES, RANGE, "state = %(after)s", sources(TaskState.CANCELING), values)


def canceled(stages: Collection[int]) -> dict[int, IndexSet]:
    """Return the canceled tasks of each stage. Stages without any are left out."""
    found = ended_without(stages)
    return {stage: ended[TaskState.CANCELED] for stage, ended in found.items() if TaskState.CANCELED in ended}


def renew(stage: int) -> None:
    """Make all tasks of a stage CREATED under a new attempt number, each with the most failures that one has."""
    created, ended = int(TaskState.CREATED), f"CASE WHEN ended_at IS NULL THEN %(canceled)s ELSE {_ENDED} END"
    rows.execute(
        f"""WITH old AS (
            INSERT INTO jobs_attempt (stage_id, index, state, {ARCHIVED})
            SELECT stage_id, index, CASE state WHEN %(created)s THEN {ended} ELSE state END, {ARCHIVED}
            FROM jobs_task WHERE stage_id = %(stage)s
        ) UPDATE jobs_task SET state = %(created)s, {RESET},
            failures = (SELECT max(failures) FROM jobs_task WHERE stage_id = %(stage)s)
        WHERE stage_id = %(stage)s""",
        {"stage": stage, "created": created, "canceled": int(TaskState.CANCELED)},
    )


def archive(stage: int, indexes: IndexSet) -> None:
    """Keep the last attempts of CREATED tasks that have an end, and give these tasks the next number."""
    condition = "stage_id = %s AND index = ANY(%s) AND state = %s AND ended_at IS NOT NULL"
    values = [stage, list(indexes), int(TaskState.CREATED)]
    rows.execute(
        f"INSERT INTO jobs_attempt (stage_id, index, state, {ARCHIVED}) "
        f"SELECT stage_id, index, {_ENDED}, {ARCHIVED} FROM jobs_task WHERE {condition}",
        values,
    )
    rows.execute(f"UPDATE jobs_task SET {RESET}, not_before = NULL WHERE {condition}", values)


def attempts(stage: int, indexes: IndexSet) -> list[tuple[int, int]]:
    """Return the attempt numbers of tasks, as (index, attempt)."""
    return rows.fetch("SELECT index, attempt FROM jobs_task WHERE stage_id = %s AND index = ANY(%s)", [stage, list(indexes)])


def schedule(assignments: Sequence[AssignmentRow]) -> None:
    """Move CREATED tasks of new assignments to SCHEDULED, on their nodes."""
    values = [(each.stage, low, high, each.node) for each in assignments for low, high in each.listed.ranges]
    names = ("stages", "lows", "highs", "nodes")
    ask(
        "unnest(%(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[], %(nodes)s::bigint[]) "
        "AS told(stage_id, low, high, node_id)",
        RANGE,
        "state = %(after)s, node_id = found.node_id, scheduled_at = now()",
        frozenset({TaskState.CREATED}),
        dict(zip(names, rows.columns(values, 4), strict=True), after=int(TaskState.SCHEDULED)),
    )


def exposed(parts: Iterable[tuple[int, int, int, int]], least: int) -> list[Exposed]:
    """Return the tasks, of those named as (node, stage, low, high), that were lost at least so often."""
    found = rows.fetch(
        """SELECT t.stage_id, t.index, t.losses,
            EXISTS (SELECT 1 FROM jobs_attempt a WHERE a.stage_id = t.stage_id AND a.index = t.index
                AND a.exit_class = 'lost' AND a.node_id <> t.node_id),
            NOT EXISTS (SELECT 1 FROM nodes_node n JOIN nodes_node other ON other.pool = n.pool AND other.id <> n.id
                WHERE n.id = t.node_id AND other.active AND other.session <> '')
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) AS told(node_id, stage_id, low, high)
        JOIN jobs_task t ON t.stage_id = told.stage_id AND t.index >= told.low AND t.index < told.high
            AND t.node_id = told.node_id AND t.losses >= %s""",
        [*rows.columns(parts, 4), least],
    )
    return [Exposed(*row) for row in found]


def _ranges(chosen: Sequence[tuple[int, IndexSet]]) -> dict[str, str]:
    values = [(stage, low, high) for stage, indexes in chosen for low, high in indexes.ranges]
    return dict(zip(("stages", "lows", "highs"), rows.columns(values, 3), strict=True))
