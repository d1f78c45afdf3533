"""Users' values, stored as text. jsonb would change 6.02e23 to 602… and -0.0 to 0.0, and sort keys.

So what a description gives to tasks, and its config, have columns of their own beside the description, and are put back
into it where people or a retry see it whole.

Metrics and accumulators are numbers that SQL adds up, and stay jsonb: `with_points` keeps floats what they are there, but for
the sign of zero.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

#: A told result as it was written, refused with the report if it is nothing that PostgreSQL's JSON may hold.
RESULT = "CASE WHEN found.result::jsonb IS NOT NULL THEN found.result::json END"
#: Where a float may stand that JSON writes with an exponent, of which jsonb makes a whole number.
_EXPONENT = re.compile(r"[0-9][eE][+0-9]")
_GIVEN = ("args", "kwargs", "foreach")


def with_points(text: str) -> str:
    """Return a JSON text of numbers in which each float has a point, so that jsonb keeps it as a float.

    What is not JSON, or holds what no float is, stays as it is: PostgreSQL refuses it with its report.
    """
    if not _EXPONENT.search(text):
        return text
    try:
        return _pointed(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _pointed(value: Any) -> str:
    match value:
        case dict():
            return f"{{{', '.join(f'{json.dumps(name)}: {_pointed(each)}' for name, each in value.items())}}}"
        case list():
            return f"[{', '.join(map(_pointed, value))}]"
        case float() if "e+" in repr(value):
            return f"{value:.1f}"
    return json.dumps(value, allow_nan=False)


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
