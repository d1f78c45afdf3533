"""Let producers go on as the stages that read their results from a buffer begin with them.

Tasks that are held back are among the `blocked` of their stage, so that placing knows nothing of buffers. Jobs without any
cost nothing: their stages are not `buffered`.
"""

import json
from collections import defaultdict
from typing import NamedTuple

from database import rows
from jobs.lifecycle import settling
from jobs.store.tables import StageRow
from jobs.store.work import Board
from switchyard.scheduling.buffering import Mark, fed_alone, noted, through
from switchyard.scheduling.indexes import IndexSet


class Buffer(NamedTuple):
    """An edge of which at most so many results may wait."""

    producer: int
    consumer: int
    size: int


def let_through(board: Board) -> None:
    """Let go what the buffers around the board's stages have room for, and hold back the rest."""
    touched = [id_ for id_, stage in board.stages.items() if stage.buffered]
    if not touched:
        return
    buffers = _buffers(touched)
    board.lock_stages({stage for buffer in buffers for stage in (buffer.producer, buffer.consumer)})
    begun = _begun(board, {buffer.consumer for buffer in buffers})
    ends: dict[int, list[int]] = defaultdict(list)
    for buffer in buffers:
        producer, consumer = board.stages[buffer.producer], board.stages[buffer.consumer]
        taken = fed_alone(begun[consumer.id], consumer.parallelism, producer.parallelism)
        ends[producer.id].append(through(taken, producer.parallelism, buffer.size))
    moved = {id_: min(found) for id_, found in ends.items() if _hold(board, board.stages[id_], min(found))}
    _note(moved)


def _buffers(stages: list[int]) -> list[Buffer]:
    """Return all buffers of the stages that are at either end of these stages' buffers and give to them."""
    found = rows.fetch(
        """SELECT e.producer_id, e.consumer_id, e.buffer FROM jobs_edge e WHERE e.buffer IS NOT NULL AND e.producer_id IN (
            SELECT producer_id FROM jobs_edge WHERE buffer IS NOT NULL AND (producer_id = ANY(%s) OR consumer_id = ANY(%s))
        )""",
        [stages, stages],
    )
    return [Buffer(*row) for row in found]


def _begun(board: Board, stages: set[int]) -> dict[int, IndexSet]:
    """Return which tasks of these stages have begun, or will not: all but those that wait, wherever they do."""
    waiting = {id_: board.stages[id_].unplaced for id_ in stages}
    for node, stage, listed, started in rows.fetch(
        "SELECT node_id, stage_id, listed::text, started::text FROM jobs_assignment WHERE stage_id = ANY(%s)", [list(stages)]
    ):
        if node not in board.lists:
            waiting[stage] |= IndexSet.from_multirange(listed) - IndexSet.from_multirange(started)
    for entries in board.lists.values():
        for assignment in entries:
            if assignment.stage in stages:
                waiting[assignment.stage] |= assignment.listed - assignment.started
    return {id_: IndexSet.span(0, board.stages[id_].parallelism) - (waiting[id_] - board.stages[id_].spent) for id_ in stages}


def _hold(board: Board, stage: StageRow, end: int) -> bool:
    """Hold back the tasks from this one on, and let go those before it that have their inputs; say whether any moved."""
    beyond = stage.unplaced & IndexSet.span(end, stage.parallelism)
    free = settling.with_inputs(board, stage, stage.blocked - beyond)
    blocked = (stage.blocked | beyond) - free
    if blocked.ranges == stage.blocked.ranges:
        return False
    stage.blocked, stage.changed = blocked, True
    return True


def _note(moved: dict[int, int]) -> None:
    """Remember when tasks were let through up to where, for ratios."""
    if not moved:
        return
    found = rows.fetch(
        "SELECT id, let_through::text, extract(epoch FROM now())::float8 FROM jobs_stage WHERE id = ANY(%s)", [list(moved)]
    )
    values = [
        (id_, json.dumps([[mark.at, mark.through] for mark in noted(read_marks(text), Mark(now, moved[id_]))]))
        for id_, text, now in found
    ]
    rows.execute(
        "UPDATE jobs_stage s SET let_through = c.marks::jsonb FROM unnest(%s::bigint[], %s::text[]) AS c(id, marks) "
        "WHERE s.id = c.id",
        rows.columns(values, 2),
    )


def read_marks(text: str | None) -> list[Mark]:
    """Read when tasks of a stage were let through."""
    return [Mark(at, up_to) for at, up_to in json.loads(text or "[]")]
