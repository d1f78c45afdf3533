"""Stages whose tasks run together. One member that does not finish ends the others, and all are tried again as one.

A gang is broken while some of its members wait and others do not, or one has failed for good. What is to be done follows
from its counters alone, so that a leader that takes over in between goes on.
"""

from collections.abc import Iterable

from database import rows
from jobs.leader import stopping
from jobs.store.attempts import RECORD
from jobs.store.tables import StageRow
from jobs.store.work import Board
from nodes.events import Told
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import LISTED, TaskState


def mend(board: Board) -> bool:
    """End what broken gangs have left, and let those wait again that nothing is left of; say whether agents must be told."""
    broken = [stage for stage in board.stages.values() if stage.broken and not board.job_of(stage.id).stopping]
    if not broken:
        return False
    told = _recall(board, broken)
    for stage in broken:
        if stage.counts[TaskState.FAILED]:
            stopping.cancel_unplaced([(stage, stage.unplaced)])
        elif not any(stage.counts[state] for state in LISTED):
            _renew(stage)
            text = f"Stage {stage.name} is tried again as a whole, since not all members of the gang went on."
            board.told.append(Told("gang_retried", text, stage.job_id))
    return told


def _recall(board: Board, stages: Iterable[StageRow]) -> bool:
    stopped = stopping.Stopped()
    ids = {stage.id for stage in stages}
    board.read_lists(node for node in stopping.nodes_of(ids) if node not in board.lists)
    stopping.cancel_listed(board, ids, stopped)
    return bool(stopped.cancels)


def _renew(stage: StageRow) -> None:
    """Make all members wait under a new number, each with the failures of the one that has most: a try counts once."""
    everyone = IndexSet.span(0, stage.parallelism)
    created, ended = int(TaskState.CREATED), "CASE WHEN ended_at IS NULL THEN %(canceled)s ELSE %(failed)s END"
    rows.execute(
        f"""WITH old AS (
            INSERT INTO jobs_attempt (stage_id, index, state, {RECORD})
            SELECT stage_id, index, CASE state WHEN %(created)s THEN {ended} ELSE state END, {RECORD}
            FROM jobs_task WHERE stage_id = %(stage)s
        ) UPDATE jobs_task SET state = %(created)s, attempt = attempt + 1, node_id = NULL, scheduled_at = NULL,
            started_at = NULL, ended_at = NULL, exit_class = NULL, exit_code = NULL, error = NULL, metrics = NULL,
            accumulators = NULL, logs = NULL, inputs = NULL, result = NULL, result_digest = NULL,
            failures = (SELECT max(failures) FROM jobs_task WHERE stage_id = %(stage)s)
        WHERE stage_id = %(stage)s""",
        {"stage": stage.id, "created": created, "canceled": int(TaskState.CANCELED), "failed": int(TaskState.FAILED)},
    )
    for state in TaskState:
        stage.counts[state] = 0
    stage.counts[TaskState.CREATED] = stage.parallelism
    stage.unplaced = everyone
    stage.spend(everyone)
