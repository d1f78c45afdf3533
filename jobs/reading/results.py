"""Results of whole stages as one JSON text, in pieces, so that memory is bounded."""

import json
from collections.abc import Iterator

from artifacts.errors import NoSuchArtifact
from artifacts.storage import storage
from database import rows
from jobs.reading.stages import has_ended
from switchyard.scheduling.lifecycle.states import TaskState

TASKS_A_PIECE = 1000
NONE = "null"


def result_text(stage: int, index: int) -> str | None:
    """Return the result of one task as a JSON text, or None if it has none."""
    found = rows.fetch(
        "SELECT coalesce(result::text, 'null'), result_digest FROM jobs_task "
        "WHERE stage_id = %s AND index = %s AND state = %s",
        [stage, index, int(TaskState.FINISHED)],
    )
    return _text(*found[0]) if found else None


def stage_results(stage: int) -> Iterator[str]:
    """Yield the answer that holds the results of a stage by index."""
    yield from _object(has_ended(stage), _list(stage))


def results_by_stage(stages: dict[str, int]) -> Iterator[str]:
    """Yield the answer that holds the results of several stages, given by name."""
    complete = all(has_ended(id_) for id_ in stages.values())
    yield from _object(complete, _lists(stages))


def _object(complete: bool, results: Iterator[str]) -> Iterator[str]:  # noqa: FBT001
    yield f'{{"complete": {json.dumps(complete)}, "results": '
    yield from results
    yield "}"


def _lists(stages: dict[str, int]) -> Iterator[str]:
    yield "{"
    for position, (name, id_) in enumerate(stages.items()):
        yield f"{', ' if position else ''}{json.dumps(name)}: "
        yield from _list(id_)
    yield "}"


def _list(stage: int) -> Iterator[str]:
    yield "["
    low = 0
    while texts := _piece(stage, low):
        yield f"{', ' if low else ''}{', '.join(texts)}"
        low += len(texts)
    yield "]"


def _piece(stage: int, low: int) -> list[str]:
    found = rows.fetch(
        "SELECT CASE WHEN state = %s THEN coalesce(result::text, 'null') ELSE 'null' END, result_digest FROM jobs_task "
        "WHERE stage_id = %s AND index >= %s ORDER BY index LIMIT %s",
        [int(TaskState.FINISHED), stage, low, TASKS_A_PIECE],
    )
    return [_text(text, digest) for text, digest in found]


def _text(text: str, digest: str | None) -> str:
    if not digest:
        return text
    try:
        return storage().read(digest).decode()
    except NoSuchArtifact:
        return NONE
