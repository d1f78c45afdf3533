"""Exact: values of users are kept as their text. jsonb would make 602… of 6.02e23 and 0.0 of -0.0, and sort keys.

So what a description gives to tasks, and its config, have columns of their own beside the description, and are put back
into it where people or a retry see it whole.
"""

from collections.abc import Mapping
from typing import Any

#: A told result as it was written, refused with the report if it is nothing that PostgreSQL's JSON may hold.
RESULT = "CASE WHEN found.result::jsonb IS NOT NULL THEN found.result::json END"
_GIVEN = ("args", "kwargs", "foreach")


def parted(stage: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a stage's description without what it gives to its tasks, and that; a stage that foreach names stays."""
    given = {name: stage[name] for name in _GIVEN if isinstance(stage.get(name), list | dict)}
    if isinstance(given.get("foreach"), dict):
        del given["foreach"]
    return {name: value for name, value in stage.items() if name not in given}, given


def whole_stage(spec: Mapping[str, Any], given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the description of a stage."""
    return {**spec, **(given or {})}


def whole_job(spec: Mapping[str, Any], config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the description of a job, apart from its stages."""
    return {**spec, "config": config or {}}
