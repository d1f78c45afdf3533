"""Writes of reports to tasks: one statement for each kind of report, whatever the number of tasks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from artifacts.kinds import Kind
from artifacts.references import refer
from database import rows
from jobs.store import exact
from jobs.store.columns import REPORTED
from jobs.store.live import json_text
from jobs.store.transitions import ATTEMPT_GUARD, ONE, RANGE, move
from switchyard.scheduling.lifecycle.ends import Judged
from switchyard.scheduling.lifecycle.facts import Current, Part
from switchyard.scheduling.lifecycle.reports import Finished
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import NOT_BEGUN, STARTABLE, Move, live_before

#: When a task started and ended, by how many microseconds ago its agent says.
_TIMES = """started_at = coalesce(t.started_at, greatest(t.scheduled_at, now() - found.begun * interval '1 microsecond')),
    ended_at = greatest(t.started_at, t.scheduled_at, now() - found.ended * interval '1 microsecond')"""
#: An index that no task has.
NOBODY = -1
#: What travels of an end that was judged, and as which SQL type.
_ENDING = {
    "node_id": "bigint",
    "stage_id": "bigint",
    "index": "int",
    "attempt": "int",
    "after": "smallint",
    "failures": "int",
    "losses": "int",
    "begun": "bigint",
    "ended": "bigint",
    "due": "float8",
    **{column.name: column.type for column in REPORTED},
}


def finish(groups: Sequence[tuple[int, int, Finished]]) -> list[Move]:
    """End tasks FINISHED, given as (node, what its clock showed, group): the path of nearly every task."""
    known = defaultdict[tuple[int, int, int], set[int]](set)
    names = ("indexes", "begun", "ended", "results", "metrics", "inputs")
    columns: list[list[Any]] = [[] for _ in names]
    indexes, begun, ended, results, metrics, inputs = columns
    for node, sent, group in groups:
        # Before them may be others without; behind them PostgreSQL fills up what is missing.
        pointed = [text and exact.with_points(text) for text in group.metrics or ()]
        for column, values in ((metrics, pointed), (inputs, group.inputs)):
            if values:
                column.extend([None] * (len(indexes) - len(column)))
                column.extend(values)
        indexes.extend(_once(group.indexes, known[node, group.stage, group.attempt]))
        begun.extend([sent - at for at in group.begun])
        ended.extend([sent - at for at in group.ended])
        results.extend(group.results)
    alike = {
        "stages": rows.repeated((group.stage, len(group.indexes)) for _, _, group in groups),
        "attempts": rows.repeated((group.attempt, len(group.indexes)) for _, _, group in groups),
        "nodes": rows.repeated((node, len(group.indexes)) for node, _, group in groups),
    }
    return move(
        "unnest(%(stages)s::bigint[], %(indexes)s::int[], %(attempts)s::int[], %(nodes)s::bigint[], %(begun)s::bigint[], "
        "%(ended)s::bigint[], %(results)s::text[], %(metrics)s::text[], %(inputs)s::bigint[]) "
        "AS told(stage_id, index, attempt, node_id, begun, ended, result, metrics, inputs)",
        f"{ONE} AND {ATTEMPT_GUARD}",
        f"""state = %(after)s, result = {exact.RESULT}, metrics = coalesce(found.metrics::jsonb, t.metrics),
            inputs = nullif(found.inputs, 0),
            {_TIMES}""",
        live_before(TaskState.FINISHED),
        {**alike, **dict(zip(names, map(rows.array, columns), strict=True)), "after": int(TaskState.FINISHED)},
    )


def _once(indexes: Sequence[int], known: set[int]) -> Sequence[int]:
    """Name no task where one is named again, and note them: of what is told of an attempt the first counts.

    An update takes any of several rows that are for one task, which depends on the plan of the moment.
    """
    new = set(indexes)
    if len(new) == len(indexes) and known.isdisjoint(new):
        known |= new
        return indexes
    first = []
    for index in indexes:
        first.append(NOBODY if index in known else index)
        known.add(index)
    return first


def end(judged: Sequence[Judged]) -> list[Move]:
    """End attempts of which more is to be recorded than a result."""
    _keep_results(judged)
    return move(
        f"unnest({', '.join(f'%({name})s::{kind}[]' for name, kind in _ENDING.items())}) AS told({', '.join(_ENDING)})",
        f"{ONE} AND {ATTEMPT_GUARD}",
        f"""state = found.after, failures = found.failures, losses = found.losses, not_before = to_timestamp(found.due),
            {_TIMES}, {", ".join(f"{column.name} = {column.written}" for column in REPORTED)}""",
        live_before(TaskState.FINISHED),
        dict(zip(_ENDING, rows.columns((_values(item) for item in judged), len(_ENDING)), strict=True)),
    )


def _keep_results(judged: Sequence[Judged]) -> None:
    """Refer, for their jobs, to results and files that are artifacts."""
    told = [(item.end.stage, item.end.result_digest) for item in judged if item.end.result_digest]
    told += [(item.end.stage, file.digest) for item in judged for file in item.end.files or ()]
    if told:
        pairs = rows.fetch(
            "SELECT DISTINCT s.job_id, told.digest FROM unnest(%s::bigint[], %s::text[]) AS told(stage_id, digest) "
            "JOIN jobs_stage s ON s.id = told.stage_id",
            rows.columns(told, 2),
        )
        refer(Kind.JOB, pairs)


def _values(item: Judged) -> tuple[Any, ...]:
    end = item.end
    return (
        item.node,
        end.stage,
        end.index,
        end.attempt,
        int(item.after),
        item.failures,
        item.losses,
        None if end.begun is None else item.sent - end.begun,
        item.sent - end.ended,
        item.due,
        *(json_text(getattr(end, name)) if is_json else getattr(end, name) for name, _, _, is_json in REPORTED),
    )


def give_back(returns: Sequence[tuple[Part, TaskState]]) -> list[Move]:
    """Move tasks that never started to CREATED or CANCELED."""
    names = ("nodes", "stages", "attempts", "lows", "highs", "afters")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(attempts)s::int[], %(lows)s::int[], %(highs)s::int[], "
        "%(afters)s::smallint[]) AS told(node_id, stage_id, attempt, low, high, after)",
        f"{RANGE} AND {ATTEMPT_GUARD}",
        """state = found.after, scheduled_at = CASE WHEN found.after <> %(created)s THEN t.scheduled_at END,
            ended_at = CASE WHEN found.after <> %(created)s THEN greatest(t.scheduled_at, now()) END""",
        NOT_BEGUN,
        dict(
            zip(names, rows.columns(((*part, int(after)) for part, after in returns), 6), strict=True),
            created=int(TaskState.CREATED),
        ),
    )


def start(starts: Sequence[tuple[int, int, int, int, int]]) -> list[Move]:
    """Move tasks, named as (node, stage, attempt, index, microseconds since), to RUNNING."""
    names = ("nodes", "stages", "attempts", "indexes", "begun")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(attempts)s::int[], %(indexes)s::int[], %(begun)s::bigint[]) "
        "AS told(node_id, stage_id, attempt, index, begun)",
        f"{ONE} AND {ATTEMPT_GUARD}",
        """state = %(after)s,
            started_at = greatest(t.scheduled_at, now() - found.begun * interval '1 microsecond')""",
        STARTABLE,
        dict(zip(names, rows.columns(starts, 5), strict=True), after=int(TaskState.RUNNING)),
    )


def current(ends: Sequence[tuple[int, int, int, int]], states: frozenset[TaskState]) -> dict[tuple[int, int], Current]:
    """Return the tasks, named as (node, stage, attempt, index), whose attempt this is now, if in one of `states`."""
    found = rows.fetch(
        """SELECT t.stage_id, t.index, t.state, t.failures, t.losses
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[]) AS told(node_id, stage_id, attempt, index)
        JOIN jobs_task t ON t.stage_id = told.stage_id AND t.index = told.index
        WHERE t.attempt = told.attempt AND t.node_id = told.node_id AND t.state = ANY(%s)""",
        [*rows.columns(ends, 4), [int(state) for state in states]],
    )
    return {(stage, index): Current(TaskState(state), *rest) for stage, index, state, *rest in found}


def running(parts: Sequence[Part]) -> list[tuple[int, int]]:
    """Return the tasks of these parts that have begun and have not ended, as (number of the part, index)."""
    return rows.fetch(
        f"""SELECT told.number - 1, o.index
        FROM unnest(%s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::int[])
            WITH ORDINALITY AS told(node_id, stage_id, attempt, low, high, number)
        JOIN jobs_task o ON {RANGE} AND {ATTEMPT_GUARD} AND o.state = ANY(%s) AND o.started_at IS NOT NULL""",
        [*rows.columns(parts, 5), [int(TaskState.RUNNING), int(TaskState.CANCELING)]],
    )
