"""States that tasks have saved: kept as artifacts, of many tasks in one, and found again for the next attempts.

A task goes on from its last state that is stored: for itself, or by a checkpoint that is completed. The tasks of a gang whose
job has checkpoints go on from one checkpoint, all of them: the newest that has an answer of each.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, NamedTuple

import msgspec
from django.db import transaction
from msgspec import Meta

from artifacts import references, storing
from artifacts.kinds import Kind
from database import rows
from jobs.models import Checkpoint
from switchyard.scheduling.errors import SwitchyardError
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import LISTED, JobState, TaskState

#: In SQL, whether a stage `stage` of a job `j` is a gang whose members go on from one checkpoint, and which that is: the
#: newest that has all of them.
TOGETHER = """(stage.spec @> '{"gang": true}' AND j.spec ? 'checkpoint')"""
NEWEST_WHOLE = f"""(SELECT max(w.id) FROM jobs_checkpoint w
    WHERE w.job_id = j.id AND w.state = {int(Checkpoint.State.COMPLETED)} AND NOT w.discarded AND (
        SELECT range_agg(o.tasks) FROM jobs_savedstates o WHERE o.checkpoint_id = w.id AND o.stage_id = stage.id
    ) @> int4multirange(int4range(0, stage.parallelism)))"""
#: In SQL, the saved states `s` from which tasks of a stage may go on, by their checkpoint `c`.
USABLE = f"""LEFT JOIN jobs_checkpoint c ON c.id = s.checkpoint_id
    JOIN jobs_stage stage ON stage.id = s.stage_id JOIN jobs_job j ON j.id = stage.job_id
    WHERE s.stage_id = %(stage)s AND (c.id IS NULL AND (s.together IS NOT NULL OR NOT {TOGETHER})
        OR c.state = {int(Checkpoint.State.COMPLETED)} AND NOT c.discarded AND (NOT {TOGETHER} OR c.id = {NEWEST_WHOLE}))"""
#: In SQL, the same rows in the order in which tasks go on from them.
NEWEST = "coalesce(s.together, s.id) DESC, s.id"


Index = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Size = Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class State(msgspec.Struct, array_like=True, frozen=True, order=True):
    """The state of a task in an artifact; `size` is -1 where it has saved none, `length` where it is no list.

    `sync` are the microseconds that saving took, `age` those between then and its upload. A task that goes on from parts of
    lists that others had saved has several of these: its list has from `at` on the elements from `low` up to `high` of each.
    """

    index: Index
    attempt: Index
    offset: Number
    size: Size
    is_json: bool
    length: Size
    sync: Number
    age: Number
    low: Size = -1
    high: Size = -1
    at: Number = 0


class NotStored(SwitchyardError):
    """The artifact with these states is not stored; upload it first."""


class Kept(NamedTuple):
    """Some states of one artifact."""

    id: int
    digest: str
    states: list[State]


def keep(node: int, stage: int, checkpoint: int | None, digest: str, states: Sequence[State]) -> IndexSet:
    """Keep states of tasks that run on a node, in an artifact that is stored; return of which tasks.

    Those of other attempts are left out, and all of them if nobody waits for the checkpoint any more. Raises NotStored.
    """
    if digest and not storing.keep(digest):
        raise NotStored
    with transaction.atomic():
        if checkpoint is not None and not _is_in_progress(checkpoint, stage):
            return IndexSet()
        current = _current(node, stage, states)
        kept = [state for state in states if (state.index, state.attempt) in current]
        if not kept:
            return IndexSet()
        size = sum(max(0, state.size) for state in kept)
        tasks = IndexSet.from_indexes(state.index for state in kept)
        ((id_,),) = rows.fetch(
            "INSERT INTO jobs_savedstates (stage_id, checkpoint_id, tasks, digest, size, states, stored_at) "
            "VALUES (%s, %s, %s, %s, %s, %s, now()) RETURNING id",
            [stage, checkpoint, tasks.to_multirange(), digest, size, msgspec.json.encode(sorted(kept)).decode()],
        )
        if checkpoint is None:
            _delete(
                "s.stage_id = %s AND s.checkpoint_id IS NULL AND s.together IS NULL AND s.id < %s "
                "AND s.tasks <@ %s::int4multirange",
                [stage, id_, tasks.to_multirange()],
            )
        references.refer(Kind.STATE, [(id_, digest)] if digest else [])
        return tasks


def last(stage: int, low: int, high: int) -> list[Kept]:
    """Return the states that tasks of a stage from `low` up to `high` go on from."""
    wanted = IndexSet.span(low, high)
    found: list[Kept] = []
    group, given = None, IndexSet()
    for id_, together, digest, tasks, states in rows.fetch(
        "SELECT s.id, s.together, s.digest, s.tasks::text, s.states::text FROM jobs_savedstates s "
        f"{USABLE} AND s.tasks && int4multirange(int4range(%(low)s, %(high)s)) ORDER BY {NEWEST}",
        {"stage": stage, "low": low, "high": high},
    ):
        if together is None or together != group:
            wanted, group, given = wanted - given, together, IndexSet()
        if not wanted:
            break
        here = IndexSet.from_multirange(tasks) & wanted
        given |= here
        kept = [state for state in read(states) if state.index in here and state.size >= 0]
        found += [Kept(id_, digest, kept)] if kept else []
    return found


def some(stage: int, id_: int, tasks: IndexSet) -> Kept | None:
    """Return the states of some tasks of a stage in one artifact; None if there is none from which they may go on."""
    found = rows.fetch(
        f"SELECT s.digest, s.states::text FROM jobs_savedstates s {USABLE} AND s.id = %(id)s", {"stage": stage, "id": id_}
    )
    if not found:
        return None
    ((digest, states),) = found
    return Kept(id_, digest, [each for each in read(states) if each.index in tasks and each.size >= 0])


def read(states: str) -> list[State]:
    """Read the states of an artifact."""
    return msgspec.json.decode(states, type=list[State])


def spans(states: Collection[State]) -> list[tuple[int, int]]:
    """Return which bytes of an artifact some of its states are, each once."""
    return sorted({(state.offset, state.offset + state.size) for state in states if state.size})


def cut(pieces: Iterator[bytes], states: Sequence[State]) -> Iterator[bytes]:
    """Yield what an artifact holds of some of its states, in the order of their bytes."""
    wanted = iter(spans(states))
    low, high = next(wanted, (0, 0))
    at = 0
    for piece in pieces:
        while low < at + len(piece) and low < high:
            yield piece[max(0, low - at) : high - at]
            if high > at + len(piece):
                break
            low, high = next(wanted, (0, 0))
        at += len(piece)
        if low >= high:
            return


def discard(checkpoints: Collection[int]) -> None:
    """Delete the states of checkpoints, which nothing goes on from any more."""
    if checkpoints:
        _delete("s.checkpoint_id = ANY(%s)", [list(checkpoints)])


def retire(checkpoints: Collection[int]) -> None:
    """Delete the states of checkpoints that newer ones replace, but for those of tasks that have no newer state.

    These tasks, which did not run meanwhile, go on from them as from states that they have saved for themselves.
    """
    if checkpoints:
        rows.execute(
            f"""UPDATE jobs_savedstates s SET checkpoint_id = NULL
            FROM jobs_stage stage JOIN jobs_job j ON j.id = stage.job_id
            WHERE s.checkpoint_id = ANY(%s) AND stage.id = s.stage_id AND stage.ended_at IS NULL AND NOT {TOGETHER}
                AND (s.tasks <@ (
                    SELECT range_agg(o.tasks) FROM jobs_savedstates o LEFT JOIN jobs_checkpoint c ON c.id = o.checkpoint_id
                    WHERE o.stage_id = s.stage_id AND o.id > s.id
                        AND (c.id IS NULL OR c.state = {int(Checkpoint.State.COMPLETED)} AND NOT c.discarded)
                )) IS NOT TRUE""",
            [list(checkpoints)],
        )
        discard(checkpoints)


def discard_of_jobs(jobs: Collection[object]) -> None:
    """Delete all states of jobs."""
    _delete("s.stage_id IN (SELECT id FROM jobs_stage WHERE job_id = ANY(%s))", [list(jobs)])


def discard_spent(limit: int) -> int:
    """Delete states from which nothing will go on, and return how many.

    These are states of jobs and tasks that have finished, and of checkpoints that a canceled job does not retain.
    """
    checkpoints = _delete(
        f"""s.id IN (SELECT s.id FROM jobs_savedstates s
            JOIN jobs_stage stage ON stage.id = s.stage_id JOIN jobs_job j ON j.id = stage.job_id
            LEFT JOIN jobs_checkpoint c ON c.id = s.checkpoint_id
            WHERE c.is_savepoint IS NOT TRUE AND (j.ended_at IS NOT NULL AND j.state = {int(JobState.FINISHED)}
                OR j.ended_at IS NOT NULL AND j.state = {int(JobState.CANCELED)} AND s.checkpoint_id IS NOT NULL
                    AND NOT coalesce((j.spec -> 'checkpoint' ->> 'retain_on_cancel')::bool, false)
                OR s.checkpoint_id IS NULL AND stage.ended_at IS NOT NULL
                    AND stage.counts[{int(TaskState.FINISHED) + 1}] = stage.parallelism)
            ORDER BY s.id LIMIT %s)""",
        [limit],
    )
    rows.execute(
        "UPDATE jobs_checkpoint SET discarded = true WHERE id = ANY(%s)", [[id_ for id_ in checkpoints if id_ is not None]]
    )
    return len(checkpoints)


def _delete(condition: str, values: list[object]) -> list[int | None]:
    """Delete saved states, and return the checkpoint of each."""
    deleted = rows.fetch(f"DELETE FROM jobs_savedstates s WHERE {condition} RETURNING s.id, s.checkpoint_id", values)
    if deleted:
        references.release(Kind.STATE, [id_ for id_, _ in deleted])
    return [checkpoint for _, checkpoint in deleted]


def _current(node: int, stage: int, states: Sequence[State]) -> set[tuple[int, int]]:
    """Return the attempts that are on a node and have not ended, as index and attempt."""
    found = rows.fetch(
        """SELECT t.index, t.attempt FROM unnest(%s::int[], %s::int[]) AS told(index, attempt)
        JOIN jobs_task t ON t.stage_id = %s AND t.index = told.index AND t.attempt = told.attempt
        WHERE t.node_id = %s AND t.state = ANY(%s)""",
        [*rows.columns(((state.index, state.attempt) for state in states), 2), stage, node, [int(each) for each in LISTED]],
    )
    return set(found)


def _is_in_progress(checkpoint: int, stage: int) -> bool:
    """Lock a checkpoint against its end, and return whether it asks for states of a stage."""
    return bool(
        rows.fetch(
            """SELECT 1 FROM jobs_checkpoint c JOIN jobs_stage s ON s.job_id = c.job_id
            WHERE c.id = %s AND s.id = %s AND c.state = %s FOR SHARE OF c""",
            [checkpoint, stage, int(Checkpoint.State.IN_PROGRESS)],
        )
    )
