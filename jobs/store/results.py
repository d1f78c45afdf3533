"""Results of tasks as JSON texts: short ones in the row, long ones in artifacts.

And which tasks will never give any.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from artifacts.storage import storage
from database import rows
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import TASK_ENDS, Intent, TaskState

#: Tasks whose results are read from rows at a time; each has up to 8 KiB there.
AT_ONCE = 1000
#: Bytes above which a result is asked for by itself, and kept by an agent in a file.
LARGE = 256 * 1024


def result_texts(stage: int) -> list[str | None]:
    """Return the results of a stage's tasks by index; None for a task that has none."""
    found = rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') END, result_digest FROM jobs_task "
        "WHERE stage_id = %s ORDER BY index",
        [int(TaskState.FINISHED), stage],
    )
    return [_read(digest) if digest else text for text, digest in found]


def outcomes_of(stage: int, producer: int, tasks: IndexSet) -> Iterator[str] | None:
    """Return as a JSON text what is known of some tasks of a stage that another needs; None if that one needs no such stage.

    `given` are results as [index, JSON text], `stored` those that are asked for one by one, as [index, digest]; `files` are
    what tasks hand on, as [index, files]. `failed` are tasks that ended without one, `left_out` those that a drain has kept
    from beginning, both as ranges. What has not ended is in none of them.
    """
    found = rows.fetch(
        "SELECT coalesce(p.parallelism, 0), j.intent = %s FROM jobs_edge e JOIN jobs_job j ON j.id = e.job_id "
        "JOIN jobs_stage p ON p.id = e.producer_id WHERE e.consumer_id = %s AND e.producer_id = %s",
        [int(Intent.DRAIN), stage, producer],
    )
    if not found:
        return None
    [(count, draining)] = found
    return _outcomes(producer, tasks & IndexSet.span(0, count), draining=draining)


def stored_input(stage: int, producer: int, index: int) -> str | None:
    """Return the digest of a stored result that a stage is given; None if there is none."""
    found = rows.fetch(
        "SELECT t.result_digest FROM jobs_task t JOIN jobs_edge e ON e.consumer_id = %s AND e.producer_id = t.stage_id "
        "WHERE t.stage_id = %s AND t.index = %s AND t.state = %s",
        [stage, producer, index, int(TaskState.FINISHED)],
    )
    return found[0][0] if found else None


def _outcomes(producer: int, tasks: IndexSet, *, draining: bool) -> Iterator[str]:
    without: dict[str, list[int]] = {"failed": [], "left_out": []}
    handed: list[tuple[int, Any]] = []
    stored: list[tuple[int, str]] = []
    separator = ""
    yield '{"given": ['
    for ended in _ended(producer, tasks):
        given: list[tuple[int, str]] = []
        for index, state, text, digest, files in ended:
            if state != TaskState.FINISHED:
                without[kind_of(TaskState(state), draining=draining)].append(index)
                continue
            if files:
                handed.append((index, json.loads(files)))
            if not digest:
                given.append((index, text))
            elif storage().size(digest) > LARGE:
                stored.append((index, digest))
            else:
                yield separator + _items([*given, (index, _read(digest))])
                separator, given = ", ", []
        if given:
            yield separator + _items(given)
            separator = ", "
    ranges = (f'"{kind}": {json.dumps(IndexSet.from_indexes(indexes).to_json())}' for kind, indexes in without.items())
    yield "], " + "".join((*_optional(stored=stored, files=handed), ", ".join(ranges), "}"))


def _optional(**parts: list[Any]) -> Iterator[str]:
    return (f'"{name}": {json.dumps(part)}, ' for name, part in parts.items() if part)


def _items(values: list[tuple[int, str]]) -> str:
    """Return the JSON text of a list without its brackets."""
    return json.dumps(values)[1:-1]


def _ended(stage: int, tasks: IndexSet) -> Iterator[list[tuple[int, int, str, str | None, str | None]]]:
    """Yield those of these tasks that have ended, by index, some at a time."""
    while tasks:
        asked, tasks = tasks.take(AT_ONCE)
        # By their indexes: as a join with ranges it is planned badly while the tasks are new to the planner's statistics.
        yield rows.fetch(
            "SELECT index, state, coalesce(result::text, 'null'), result_digest, files::text FROM jobs_task "
            "WHERE stage_id = %s AND index = ANY(%s::int[]) AND state = ANY(%s) ORDER BY index",
            [stage, rows.array(asked), [int(state) for state in TASK_ENDS]],
        )


def kind_of(state: TaskState, *, draining: bool) -> str:
    """Return what an ended task is to those that need it: given, failed or left out."""
    if state == TaskState.FINISHED:
        return "given"
    return "left_out" if draining and state == TaskState.CANCELED else "failed"


def ended_without(stages: Iterable[int]) -> dict[int, dict[TaskState, IndexSet]]:
    """Return which tasks of these stages ended without a result, by stage and state."""
    wanted = list(stages)
    if not wanted:
        return {}
    ended: dict[int, dict[TaskState, IndexSet]] = defaultdict(dict)
    found = rows.fetch(
        "SELECT stage_id, state, range_agg(int4range(index, index + 1))::text FROM jobs_task "
        "WHERE stage_id = ANY(%s) AND state = ANY(%s) GROUP BY 1, 2",
        [wanted, [int(TaskState.CANCELED), int(TaskState.FAILED)]],
    )
    for stage, state, indexes in found:
        ended[stage][TaskState(state)] = IndexSet.from_multirange(indexes)
    return ended


def _read(digest: str) -> str:
    return storage().read(digest).decode()
