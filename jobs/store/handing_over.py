"""States that a savepoint has of the tasks of a stage, handed over to those of another stage, also in another number."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from artifacts import references
from artifacts.kinds import Kind
from database import rows
from jobs.store.states import NEWEST, State, read
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.restoring import share_out


class NotSplittable(Exception):
    """The states of a stage cannot be shared out among another number of tasks; the text says why."""


class Row(NamedTuple):
    """Saved states, as they are stored."""

    group: int
    digest: str
    size: int
    tasks: IndexSet
    states: str


class Piece(NamedTuple):
    """A state, or a part of one, in an artifact."""

    digest: str
    state: State

    @property
    def span(self) -> tuple[int, int]:
        """The elements of the list that are meant."""
        return (0, self.state.length) if self.state.low < 0 else (self.state.low, self.state.high)


def saved(savepoint: int) -> set[int]:
    """Return the stages of which a savepoint has states."""
    return {stage for (stage,) in rows.fetch("SELECT stage_id FROM jobs_savedstates WHERE checkpoint_id = %s", [savepoint])}


def hand_over(savepoint: int, old: int, new: int, before: int, after: int, left: IndexSet) -> int:
    """Let tasks of stage `new` go on from what a savepoint has of stage `old`, and return how many do.

    There were `before` tasks, of which `left` had not finished, and there are `after` now. Raises NotSplittable.
    """
    found = _rows(old, savepoint)
    if before == after:
        _insert(new, found)
        kept = (state for row in found for state in read(row.states) if state.size >= 0 and state.index in row.tasks)
        return len({state.index for state in kept if state.index in left})
    return _write(new, _pieces(found, before, left), after)


def _rows(stage: int, savepoint: int) -> list[Row]:
    """Return the states of a stage in a savepoint, those first that come before others."""
    found = rows.fetch(
        f"""SELECT coalesce(s.together, s.id), s.digest, s.size, s.tasks::text, s.states::text FROM jobs_savedstates s
        WHERE s.stage_id = %s AND s.checkpoint_id = %s ORDER BY {NEWEST}""",
        [stage, savepoint],
    )
    return [Row(group, digest, size, IndexSet.from_multirange(tasks), told) for group, digest, size, tasks, told in found]


def _insert(stage: int, found: Sequence[Row]) -> None:
    """Write states for a stage, in an order in which those come first again that do now."""
    if not found:
        return
    ids = _draw_ids(len(found))
    groups: dict[int, int] = {}
    written = []
    # The newest are those with the highest number; within a group, the order is as it is.
    for row, id_ in zip(sorted(found, key=lambda row: row.group), ids, strict=True):
        together = groups.setdefault(row.group, id_)
        written.append((id_, row.tasks.to_multirange(), row.digest, row.size, row.states, together))
    rows.execute(
        """INSERT INTO jobs_savedstates (id, stage_id, tasks, digest, size, states, together, stored_at)
        SELECT id, %s, tasks::int4multirange, digest, size, states::jsonb, together, now()
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[])
            AS told(id, tasks, digest, size, states, together)""",
        [stage, *rows.columns(written, 6)],
    )
    references.refer(Kind.STATE, [(id_, digest) for id_, _, digest, *_ in written if digest])


def _pieces(found: Sequence[Row], before: int, left: IndexSet) -> list[Piece]:
    """Return the lists that all tasks have saved, in their order; none if no task has saved anything."""
    kept: dict[int, list[Piece]] = {}
    by_group: dict[int, int] = {}
    for row in found:
        for state in read(row.states):
            if state.index in row.tasks and by_group.setdefault(state.index, row.group) == row.group and state.size >= 0:
                kept.setdefault(state.index, []).append(Piece(row.digest, state))
    if not kept:
        return []
    for index in left:
        if index not in kept:
            raise NotSplittable(f"task {index} of {before:,} has saved nothing, and others have: wait until it has")
        if any(not piece.state.is_json or piece.state.length < 0 for piece in kept[index]):
            raise NotSplittable(f"the state of task {index} is no list: only lists can be shared out")
    return [piece for index in left for piece in sorted(kept[index], key=lambda piece: piece.state.at)]


def _write(stage: int, pieces: Sequence[Piece], after: int) -> int:
    """Share the elements of lists out among the tasks of a stage, and return how many tasks get some."""
    if not pieces:
        return 0
    spans = [piece.span for piece in pieces]
    by_digest: dict[str, list[State]] = {}
    for index, parts in enumerate(share_out([high - low for low, high in spans], after)):
        for part in parts:
            piece, (begin, _) = pieces[part.source], spans[part.source]
            told = {"index": index, "attempt": 0, "low": begin + part.low, "high": begin + part.high, "at": part.at}
            by_digest.setdefault(piece.digest, []).append(msgspec.structs.replace(piece.state, **told))
    _insert(stage, [_row(digest, states) for digest, states in by_digest.items()])
    return after


def _row(digest: str, states: list[State]) -> Row:
    size = sum({(state.offset, state.size): state.size for state in states}.values())
    tasks = IndexSet.from_indexes(state.index for state in states)
    return Row(0, digest, size, tasks, json.dumps(msgspec.to_builtins(states)))


def _draw_ids(count: int) -> list[int]:
    found: list[tuple[Any]] = rows.fetch(
        "SELECT nextval(pg_get_serial_sequence('jobs_savedstates', 'id')) FROM generate_series(1, %s)", [count]
    )
    return sorted(id_ for (id_,) in found)
