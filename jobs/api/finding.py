"""Find the object that a path names, or answer 404."""

from uuid import UUID

from rest_framework.exceptions import NotFound

from jobs.reading.jobs import id_of
from jobs.reading.stages import stage_ids

LARGEST_INDEX = 2**31 - 1


def found_job(key: str) -> UUID:
    """Return the id of the job of this id or number; raises NotFound."""
    id_ = id_of(key)
    if id_ is None:
        raise NotFound(f"There is no job {key:.60}.")
    return id_


def found_stage(job: str, name: str) -> int:
    """Return the id of a job's stage; raises NotFound."""
    id_ = stage_ids(found_job(job)).get(name)
    if id_ is None:
        raise no_stage(name)
    return id_


def found_index(text: str) -> int:
    """Return an index that a task may have; raises NotFound."""
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > LARGEST_INDEX:
        raise no_task(text)
    return int(text)


def no_stage(name: str) -> NotFound:
    """Return the error that a job has no stage of this name."""
    return NotFound(f"The job has no stage {name:.60}.")


def no_task(index: object) -> NotFound:
    """Return the error that a stage has no task of this index."""
    return NotFound(f"The stage has no task {index!s:.20}.")
