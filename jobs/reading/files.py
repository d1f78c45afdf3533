"""The files that tasks hand on, as plain values: of one task, or page by page of a job."""

import json
import re
from typing import Any, NamedTuple
from uuid import UUID

from database import rows
from switchyard.scheduling.lifecycle.ends import File
from switchyard.scheduling.lifecycle.states import TaskState


class FilePlace(NamedTuple):
    """A file's place in the order of lists: the id of its stage, the index of its task, its number there from 1."""

    stage: int
    task: int
    number: int

    @property
    def text(self) -> str:
        """The place as `read_place` reads it."""
        return f"{self.stage}.{self.task}.{self.number}"


BEFORE_ALL = FilePlace(0, -1, 0)
_HAS_OUTPUTS = "coalesce(s.spec -> 'outputs', '{}') <> '{}'"
_PLACE = re.compile(r"([0-9]{1,19})\.([0-9]{1,10})\.([0-9]{1,9})", re.ASCII)


def read_place(text: str) -> FilePlace | None:
    """Read a place; None for what is none."""
    found = _PLACE.fullmatch(text)
    place = FilePlace(*map(int, found.groups())) if found else None
    return place if place and place.stage < 2**63 and place.task < 2**31 else None


def files(stage: int, index: int) -> list[dict[str, Any]] | None:
    """Return what a task hands on; None if there is no such task."""
    found = rows.fetch("SELECT files::text FROM jobs_task WHERE stage_id = %s AND index = %s", [stage, index])
    return as_files(found[0][0] and json.loads(found[0][0])) if found else None


def as_files(told: list[list[Any]] | None) -> list[dict[str, Any]]:
    return [dict(zip(File.__struct_fields__, file, strict=True)) for file in told or ()]


def has_outputs(job: UUID) -> bool:
    """Return whether tasks of a job hand on files."""
    return bool(rows.fetch(f"SELECT 1 FROM jobs_stage s WHERE s.job_id = %s AND {_HAS_OUTPUTS} LIMIT 1", [job]))


def files_of_job(
    job: UUID, *, stage: str = "", output: str = "", after: FilePlace = BEFORE_ALL, limit: int
) -> list[tuple[FilePlace, dict[str, Any]]]:
    """Return the files of a job in the order of stages, tasks and files, each with its place, beginning after a place."""
    found = rows.fetch(
        f"""SELECT s.id, t.index, file.number, s.name, file.told::text
        FROM jobs_stage s JOIN jobs_task t ON t.stage_id = s.id
        CROSS JOIN LATERAL jsonb_array_elements(t.files) WITH ORDINALITY AS file(told, number)
        WHERE s.job_id = %s AND {_HAS_OUTPUTS} AND t.state = %s AND %s IN ('', s.name)
        AND %s IN ('', file.told ->> 0) AND t.stage_id >= %s AND (s.id, t.index, file.number) > (%s, %s, %s)
        ORDER BY s.id, t.index, file.number LIMIT %s""",
        [job, int(TaskState.FINISHED), stage, output, after.stage, *after, limit],
    )
    return [
        (FilePlace(id_, index, number), {"stage": name, "index": index} | as_files([json.loads(told)])[0])
        for id_, index, number, name, told in found
    ]
