"""The work of a node: running tasks with their jobs, and the number of tasks that wait on its list."""

from dataclasses import dataclass
from typing import Any

from database import rows
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import LISTED, TaskState


@dataclass(frozen=True, slots=True)
class Work:
    """The first of the tasks that run on a node or are about to, how many these are, and how many wait behind them."""

    tasks: list[dict[str, Any]]
    running: int
    waiting: int


def work_on(node: int, *, limit: int) -> Work:
    """Return what a node works on, at most `limit` tasks of it, in the order of its list."""
    running, waiting = rows.fetch(
        """SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM jobs_assignment a, unnest(a.held + a.started) AS r
        WHERE a.node_id = %s UNION ALL
        SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM jobs_assignment a, unnest(a.listed - a.held - a.started) AS r
        WHERE a.node_id = %s""",
        [node, node],
    )
    return Work(_tasks(node, _places(node, limit)), running[0], waiting[0])


def _places(node: int, limit: int) -> list[tuple[int, int]]:
    found = rows.fetch(
        "SELECT stage_id, (held + started)::text FROM jobs_assignment "
        "WHERE node_id = %s AND NOT isempty(held + started) ORDER BY entry LIMIT %s",
        [node, limit],
    )
    places = [(stage, index) for stage, text in found for index in IndexSet.from_multirange(text).take(limit)[0]]
    return places[:limit]


def _tasks(node: int, places: list[tuple[int, int]]) -> list[dict[str, Any]]:
    names = ("job", "job_name", "stage", "index", "attempt", "state", "scheduled_at", "started_at", "progress")
    found = rows.fetch(
        """SELECT j.number, j.name, s.name, t.index, t.attempt, t.state, t.scheduled_at, t.started_at,
            t.metrics ->> 'progress'
        FROM unnest(%s::bigint[], %s::int[]) WITH ORDINALITY AS p(stage_id, index, place)
        JOIN jobs_task t ON t.stage_id = p.stage_id AND t.index = p.index
        JOIN jobs_stage s ON s.id = t.stage_id JOIN jobs_job j ON j.id = s.job_id
        WHERE t.node_id = %s AND t.state = ANY(%s) ORDER BY p.place""",
        [*rows.columns(places, 2), node, [int(state) for state in LISTED]],
    )
    shown = [dict(zip(names, row, strict=True)) for row in found]
    return [row | {"state": TaskState(row["state"]).name} for row in shown]
