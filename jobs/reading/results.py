"""Results of whole stages as one JSON text, in pieces, so that memory is bounded."""

import json
from collections.abc import Iterator

from artifacts.errors import NoSuchArtifact
from artifacts.storage import storage
from database import rows
from jobs.reading.stages import has_ended
from switchyard.scheduling.lifecycle.states import TaskState

#: What a row holds has up to 8 KiB.
TASKS_A_PIECE = 250
NONE = "null"
#: Part of a JSON text; bytes are ASCII.
Piece = str | bytes


def result_pieces(stage: int, index: int) -> Iterator[Piece] | None:
    """Return the result of one task as a JSON text, or None if it has none."""
    found = rows.fetch(
        "SELECT coalesce(result::text, 'null'), result_digest FROM jobs_task "
        "WHERE stage_id = %s AND index = %s AND state = %s",
        [stage, index, int(TaskState.FINISHED)],
    )
    return _text(*found[0]) if found else None


def shown_result(stage: int, index: int, limit: int) -> tuple[str | None, int]:
    """Return the beginning of a task's result and how much of it is left out; None if it has none."""
    pieces = result_pieces(stage, index)
    if pieces is None:
        return None, 0
    shown, size = "", 0
    for piece in pieces:
        text = piece if isinstance(piece, str) else piece.decode("ascii")
        shown += text[: limit - len(shown)]
        size += len(text)
    return shown, size - len(shown)


def stage_results(stage: int) -> Iterator[Piece]:
    """Yield the answer that holds the results of a stage by index."""
    yield from _object(has_ended(stage), _list(stage))


def results_by_stage(stages: dict[str, int]) -> Iterator[Piece]:
    """Yield the answer that holds the results of several stages, given by name."""
    complete = all(has_ended(id_) for id_ in stages.values())
    yield from _object(complete, _lists(stages))


def _object(complete: bool, results: Iterator[Piece]) -> Iterator[Piece]:  # noqa: FBT001
    yield f'{{"complete": {json.dumps(complete)}, "results": '
    yield from results
    yield "}"


def _lists(stages: dict[str, int]) -> Iterator[Piece]:
    yield "{"
    for position, (name, id_) in enumerate(stages.items()):
        yield f"{', ' if position else ''}{json.dumps(name)}: "
        yield from _list(id_)
    yield "}"


def _list(stage: int) -> Iterator[Piece]:
    yield "["
    low = 0
    while found := _some(stage, low):
        yield ", " if low else ""
        yield from _joined(found)
        low += len(found)
    yield "]"


def _some(stage: int, low: int) -> list[tuple[str, str | None]]:
    return rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') ELSE 'null' END, result_digest FROM jobs_task "
        "WHERE stage_id = %s AND index >= %s ORDER BY index LIMIT %s",
        [int(TaskState.FINISHED), stage, low, TASKS_A_PIECE],
    )


def _joined(found: list[tuple[str, str | None]]) -> Iterator[Piece]:
    if not any(digest for _, digest in found):
        yield ", ".join(text for text, _ in found)
        return
    for position, (text, digest) in enumerate(found):
        yield ", " if position else ""
        yield from _text(text, digest)


def _text(text: str, digest: str | None) -> Iterator[Piece]:
    if not digest:
        yield text
        return
    try:
        yield from storage().pieces(digest)
    except NoSuchArtifact:
        yield NONE
