"""Flink's ids: 32 hexadecimal digits for everything, computed from ours and back. Pure."""

import re
from uuid import UUID

from wires.reading import NotThere, Unreadable

_HEX = re.compile(r"[0-9a-fA-F]{32}")
_DASHED = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DIGITS = re.compile(r"[0-9]{1,10}")
LARGEST_ID = 2**63 - 1
LARGEST_INDEX = 2**31 - 1


def job_id(ours: str | UUID) -> str:
    """Return the id of a job; ours, read without its dashes."""
    return str(ours).replace("-", "")


def vertex_id(stage: int) -> str:
    """Return the id of a stage."""
    return f"{stage:032x}"


node_id = vertex_id


def execution_id(stage: int, task: int, attempt: int) -> str:
    """Return the id of an attempt."""
    return f"{stage:016x}{task:08x}{attempt:08x}"


def to_job(given: str) -> UUID:
    """Return the id of ours that a path names; dashes are read too."""
    if not _HEX.fullmatch(given) and not _DASHED.fullmatch(given):
        raise unreadable("jobid", given)
    return UUID(given)


def to_stage(given: str) -> int:
    """Return the id of the stage that a path names."""
    if not _HEX.fullmatch(given):
        raise unreadable("vertexid", given)
    return _bounded(given, "JobVertex ID not found")


def to_node(given: str) -> int:
    """Return the id of the node that a path names; later releases have other ids, so that none is malformed."""
    return _bounded(given if _HEX.fullmatch(given) else "f" * 32, f"No TaskExecutor registered under {given:.100}.")


def to_index(name: str, given: str) -> int:
    """Return the number that a path names: of a subtask or of an attempt."""
    if not _DIGITS.fullmatch(given):
        raise unreadable(name, given)
    if int(given) > LARGEST_INDEX:
        raise NotThere(f"Invalid {name} {given}")
    return int(given)


def to_trigger(given: str) -> str:
    """Return the id of something that was triggered."""
    if not _HEX.fullmatch(given):
        raise unreadable("triggerid", given)
    return given.lower()


def unreadable(name: str, given: str) -> Unreadable:
    """Return the error of a part of a path that cannot be read."""
    return Unreadable(
        f'Bad request, could not parse parameters: Cannot resolve path parameter ({name}) from value "{given:.100}".'
    )


def _bounded(given: str, otherwise: str) -> int:
    if int(given, 16) > LARGEST_ID:
        raise NotThere(otherwise)
    return int(given, 16)
