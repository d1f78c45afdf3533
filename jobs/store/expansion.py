"""Create the tasks of a stage from the items that another stage returned."""

import json
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings

from artifacts.storage import storage
from database import rows
from jobs.store import items
from jobs.store.quotas import OverQuota, require_tasks
from jobs.store.results import result_texts
from switchyard.scheduling.lifecycle.records import NotItems
from switchyard.scheduling.lifecycle.rows import StageRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.spec.limits import Limits

#: Bytes of results that a stage may run over, as JSON: they are read as a whole.
ITEMS_BYTES = 32 * 1024 * 1024


def expand(stage: StageRow, known: Mapping[int, StageRow], *, draining: bool) -> int:
    """Create one task for each item, and return how many; raise NotItems when the results are not lists, or too many."""
    ((source, name),) = rows.fetch(
        """SELECT p.id, p.name FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id JOIN jobs_stage s ON s.id = %s
        WHERE e.consumer_id = s.id AND p.name = s.spec -> 'foreach' ->> 'from'""",
        [stage.id],
    )
    _require_size(source, name, stage.name)
    texts = enumerate(result_texts(source))
    found = [item for index, text in texts if text or not draining for item in _items(text, name, index, stage.name)]
    _require_room(known, stage, len(found), name)
    items.write(stage.id, found)
    insert_tasks([(stage.id, len(found))])
    return len(found)


def insert_tasks(stages: list[tuple[int, int]]) -> None:
    """Create the tasks of stages given as (id, number of tasks): alike rows need not travel."""
    rows.execute(
        """INSERT INTO jobs_task (stage_id, index, state, attempt, failures, losses)
        SELECT c.stage_id, i, %s, 0, 0, 0
        FROM unnest(%s::bigint[], %s::int[]) AS c(stage_id, count), generate_series(0, c.count - 1) AS i""",
        [int(TaskState.CREATED), *rows.columns(stages, 2)],
    )


def _require_size(source: int, name: str, stage: str) -> None:
    """Look at the size of results before they are read; where they are kept, long ones have their digests in the rows."""
    found = rows.fetch("SELECT octet_length(result::text), result_digest FROM jobs_task WHERE stage_id = %s", [source])
    size = sum(storage().size(digest) if digest else length or 0 for length, digest in found)
    if size > ITEMS_BYTES:
        raise NotItems(
            f"stage {stage} cannot run over what {name} returned: it has {size:,} bytes, and at most {ITEMS_BYTES:,} are "
            "allowed. Return what names the items (paths, numbers) instead of the items themselves"
        )


def _require_room(known: Mapping[int, StageRow], stage: StageRow, count: int, name: str) -> None:
    limit, total = Limits(**settings.DESCRIPTION_LIMITS).tasks, _tasks(known, stage.job_id) + count
    refused = f"stage {stage.name} cannot run over the {count:,} items of {name}"
    if total > limit:
        raise NotItems(
            f"{refused}: with them the job would have {total:,} tasks, "
            f"and at most {limit:,} are allowed (SWITCHYARD_LIMIT_TASKS)"
        )
    try:
        require_tasks(stage.job_id, count, known)
    except OverQuota as error:
        raise NotItems(f"{refused}: {error}") from error


def _tasks(known: Mapping[int, StageRow], job: UUID) -> int:
    """Return how many tasks a job has, with those of known stages that are not written yet."""
    ((written,),) = rows.fetch(
        "SELECT coalesce(sum(parallelism), 0) FROM jobs_stage WHERE job_id = %s AND id <> ALL(%s)", [job, list(known)]
    )
    return int(written) + sum(stage.parallelism for stage in known.values() if stage.job_id == job)


def _items(text: str | None, name: str, index: int, stage: str) -> list[object]:
    found = json.loads(text or "null")
    if not isinstance(found, list):
        raise NotItems(
            f"stage {stage} runs once for each item of {name}, but task {index} of {name} returned "
            f"{type(found).__name__}, not a list"
        )
    return found
