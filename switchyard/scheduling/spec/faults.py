"""What is wrong, in our words: field paths, and pydantic's errors as faults that say what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from switchyard.scheduling.errors import Fault
from switchyard.scheduling.spec import environments, types
from switchyard.scheduling.spec import fields as spec_fields

SUGGESTED_AMONG = 200

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}
_OBJECTS: dict[str, type] = {
    "": types.JobSpec,
    "stages": types.StageSpec,
    "needs": types.Need,
    "type": types.TypeRef,
    "constraints": types.Constraint,
    "timeouts": types.Timeouts,
    "retry": types.RetryRule,
    "checkpoint": types.CheckpointRule,
    "backoff": types.Backoff,
    "on": types.RetryOn,
    "environment": environments.Environment,
}
_REASONS = {
    "missing": "is required",
    "dataclass_type": "must be an object, not {kind}",
    "mapping_type": "must be an object, not {kind}",
    "dict_type": "must be an object, not {kind}",
    "tuple_type": "must be a list, not {kind}",
    "string_type": "must be text, not {kind}",
    "int_type": "must be a whole number, not {kind}",
    "float_type": "must be a number, not {kind}",
    "bool_type": "must be true or false, not {kind}",
    "enum": "must be {expected}, not {shown}",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than": "must be above {gt:,}, not {shown}",
    "greater_than_equal": "must be {ge:,} or more, not {shown}",
    "less_than_equal": "must be {le:,} or less, not {shown}",
}
_PATTERNS = {
    spec_fields.NAME_PATTERN: "must be at most 100 of A-Z a-z 0-9 . _ - and begin with a letter or digit",
    spec_fields.LABEL_PATTERN: "must be at most 100 of A-Z a-z 0-9 . _ / - and begin with a letter or digit",
    spec_fields.VERSION_PATTERN: "must be at most 50 of A-Z a-z 0-9 . _ + - and begin with a letter or digit",
    spec_fields.ENV_PATTERN: "must be at most 200 of A-Z a-z 0-9 _ and not begin with a digit",
    spec_fields.EXCEPTION_PATTERN: "must name an exception class, such as OSError or package.module.Error",
    environments.PYTHON_PATTERN: "must be a version such as 3.12 or 3.12.4",
    spec_fields.CALLABLE_PATTERN: "must be module:function, such as package.module:function",
}


def path_of(parts: Iterable[str | int]) -> str:
    """Write a path as people do: stages[2].needs[0]."""
    text = "".join(_step(part) for part in parts)
    return text.removeprefix(".")


def translate(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """Yield a fault for each error that pydantic found below `prefix`."""
    for detail in error.errors(include_url=False):
        parts = [*prefix, *(part for part in detail["loc"] if not _is_tag(part))]
        if parts[-1:] == ["[key]"]:
            parts = parts[:-2]
        yield Fault(path_of(parts), _reason(detail, parts))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" if one of the first few known names looks like `name`."""
    near = get_close_matches(name[:100], list(known)[:SUGGESTED_AMONG], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def kind(value: object) -> str:
    """Name the kind of a JSON value."""
    return "null" if value is None else _KINDS.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """Return a value, cut short and with nothing unprintable, for a message."""
    text = repr(value) if isinstance(value, str | int | float) else kind(value)
    return text if len(text) <= 60 else f"{text[:50]}…"


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return f".{part[:100]}" if _PLAIN.fullmatch(part) else f"[{shown(part)}]"


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and part.startswith("<") and part.endswith(">")


def _reason(detail: ErrorDetails, parts: list[str | int]) -> str:
    value, error = detail["input"], detail["type"]
    context = {name: _plainly(bound) for name, bound in detail.get("ctx", {}).items()}
    if error == "unexpected_keyword_argument":
        return "is not a known field" + suggestion(str(parts[-1]), _siblings(parts[:-1]))
    if error == "string_pattern_mismatch":
        return f"{shown(value)} {_PATTERNS[str(context['pattern'])]}"
    if error == "string_type" and isinstance(value, int | float):
        return f'must be text: write it in quotes, "{json.dumps(value)[:40]}"'
    said = _REASONS.get(error)
    return said.format(kind=kind(value), shown=shown(value), **context) if said else detail["msg"]


def _plainly(bound: object) -> object:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _siblings(parts: list[str | int]) -> list[str]:
    owner = next((part for part in reversed(parts) if isinstance(part, str)), "")
    return [f.name for f in fields(_OBJECTS[owner])] if owner in _OBJECTS else []
