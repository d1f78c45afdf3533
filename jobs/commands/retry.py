"""Retry a job: the new job keeps the results of finished tasks and runs the others again."""

from functools import partial
from uuid import UUID

from django.db import transaction

from artifacts.kinds import Kind
from artifacts.references import refer
from artifacts.storage import storage
from database import rows
from jobs.store import items
from jobs.store.expansion import insert_tasks
from jobs.store.records import RECORDS
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import buffering, settling
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.lifecycle.work import UnitOfWork

COPIED = "started_at, ended_at, scheduled_at, node_id, exit_code, metrics, accumulators, logs, result, result_digest"


def reuse(old: UUID, new: UUID) -> None:
    """Copy the finished tasks of a job, with their logs, into the job that was submitted anew from its description."""
    pairs = rows.fetch(
        "SELECT o.id, n.id, o.parallelism, n.parallelism, jsonb_typeof(o.spec -> 'foreach') = 'object', "
        "o.spec ->> 'gang' = 'true' AND o.counts[%s] < o.parallelism FROM jobs_stage o JOIN jobs_stage n "
        "ON n.job_id = %s AND n.name = o.name WHERE o.job_id = %s ORDER BY n.position",
        [int(TaskState.FINISHED) + 1, new, old],
    )
    work = UnitOfWork(RECORDS, rows.now().timestamp())
    work.lock_stages(id_ for _, id_, *_ in pairs)
    moves = []
    for before, after, width, empty, expanded, partly in pairs:
        if expanded and not empty:
            _expand(work, before, after, width)
        # Members of a gang run together: those of one that did not finish as a whole run again.
        copied = [] if partly else _copy(new, before, after)
        if copied:
            moves += copied
            transaction.on_commit(partial(_link_logs, before, after), robust=True)
    for move in moves:
        work.stages[move.stage].move(move.before, move.after, move.indexes)
    settling.settle(work, moves)
    buffering.let_through(work)
    work.write()


def _expand(work: UnitOfWork, before: int, after: int, width: int) -> None:
    items.copy(before, after)
    insert_tasks([(after, width)])
    stage = work.stages[after]
    stage.parallelism = stage.counts[TaskState.CREATED] = width
    stage.unplaced = IndexSet.span(0, width)


def _link_logs(before: int, after: int) -> None:
    """Keep what the attempts wrote that made the results, as of the first attempts of the new tasks."""
    attempts = rows.fetch(
        "SELECT index, attempt FROM jobs_task WHERE stage_id = %s AND state = %s", [before, int(TaskState.FINISHED)]
    )
    storage().link_logs(before, after, dict(attempts))


def _copy(job: UUID, before: int, after: int) -> list[Move]:
    assignments = ", ".join(f"{name} = o.{name}" for name in COPIED.split(", "))
    [(copied, digests)] = rows.fetch(
        f"""WITH moved AS (
            UPDATE jobs_task n SET state = o.state, {assignments} FROM jobs_task o
            WHERE o.stage_id = %s AND o.state = %s AND n.stage_id = %s AND n.index = o.index
            RETURNING n.index, n.result_digest
        ) SELECT range_agg(int4range(index, index + 1))::text, array_remove(array_agg(DISTINCT result_digest), NULL)
        FROM moved""",
        [before, int(TaskState.FINISHED), after],
    )
    # The old job, whose references keep them so far, is locked.
    refer(Kind.JOB, [(job, digest) for digest in digests or ()])
    indexes = IndexSet.from_multirange(copied or "{}")
    return [Move(0, after, TaskState.CREATED, TaskState.FINISHED, indexes)] if indexes else []
