"""Edits of a stored job description: another description, or values at paths, as a retry may bring them.

A path names stages by their names: stages.train.resources.mem, stages.train.args.0, retry.attempts. What it leads to is
validated with the whole description afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.spec import environments, types
from switchyard.scheduling.spec.faults import kind, suggestion
from switchyard.scheduling.spec.limits import Limits
from switchyard.scheduling.spec.parsing import from_data, to_json
from switchyard.scheduling.spec.reading import Format, read
from switchyard.scheduling.spec.types import JobSpec

#: Names that a message lists.
LISTED = 30
#: Objects of known fields, by the field that holds them. Any other object takes any key.
_STRUCTURED: dict[str, type] = {
    "type": types.TypeRef,
    "timeouts": types.Timeouts,
    "retry": types.RetryRule,
    "checkpoint": types.CheckpointRule,
    "backoff": types.Backoff,
    "on": types.RetryOn,
    "needs": types.Need,
    "constraints": types.Constraint,
    "environment": environments.Environment,
}
#: Maps from names, which may have dots, to single values.
_FLAT = frozenset({"env", "files", "labels", "resources"})
_NUMBERED_STAGE = re.compile(r"stages\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Edit:
    """What a retry changes: the whole description if one is given, and then values at paths."""

    changes: Mapping[str, Any]
    description: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.changes) or self.description is not None


NO_EDIT = Edit({})


def read_edit(text: bytes | str, format: Format | None, limits: Limits) -> Edit:
    """Return the edit that a JSON or YAML text describes as {set: {path: value}, description: {…}}; of no text, none."""
    if not text.strip():
        return NO_EDIT
    data = read(text, format, limits)
    if not isinstance(data, dict):
        _refuse("", f"must be an object with set or description, not {kind(data)}")
    for name in data:
        if name not in ("set", "description"):
            _refuse(str(name), "is not known here; give set (values by paths) or description (a whole job)")
    changes, description = data.get("set", {}), data.get("description")
    if not isinstance(changes, dict):
        _refuse("set", f"must be an object of paths and values, not {kind(changes)}")
    if "description" in data and not isinstance(description, dict):
        _refuse("description", f"must be a job description, not {kind(description)}")
    return Edit(changes, description)


def edited(stored: Mapping[str, Any], edit: Edit, limits: Limits) -> JobSpec:
    """Return the job that a stored description becomes; raises InvalidSpec, which names stages by their names in paths."""
    if edit.description is None:
        described = dict(stored)
    else:
        spec = from_data(edit.description, limits=limits)
        if not edit.changes:
            return spec
        # Written out, so that paths lead through what was short: needs: [load], type: "index:2".
        described = to_json(spec)
    for path, value in edit.changes.items():
        described = _set(described, path, value)
    try:
        return from_data(described, limits=limits)
    except InvalidSpec as error:
        raise InvalidSpec([_by_name(fault, described) for fault in error.faults]) from None


def _set(described: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return the description with another value at a path; what is on the way is copied, and nothing is changed."""
    if not all(path.split(".")):
        _refuse(path, "is no path such as stages.train.resources.mem")
    name, _, rest = path.partition(".")
    if name == "stages":
        return {**described, "stages": _set_stage(described["stages"], path, rest, value)}
    return _set_field(described, types.JobSpec, path, path, value, "a job")


def _set_stage(stages: list[dict[str, Any]], path: str, rest: str, value: Any) -> list[dict[str, Any]]:
    names = [stage["name"] for stage in stages]
    # Names may have dots: the longest that fits is meant.
    name = max((name for name in names if f"{rest}.".startswith(f"{name}.")), key=len, default=None)
    if name is None:
        _refuse(path, f"there is no such stage{_instead(rest.partition('.')[0], names)}")
    field = rest[len(name) + 1 :]
    if not field:
        _refuse(path, f"is a whole stage; name one of its fields: {_listed(_fields(types.StageSpec))}")
    at = names.index(name)
    return [*stages[:at], _set_field(stages[at], types.StageSpec, path, field, value, "a stage"), *stages[at + 1 :]]


def _set_field(held: Mapping[str, Any], shape: type, path: str, rest: str, value: Any, what: str) -> dict[str, Any]:
    """Set one of the fields that an object of a known shape has."""
    name, _, further = rest.partition(".")
    if name not in _fields(shape):
        _refuse(path, f"{what} has no field {name[:60]!r}{_instead(name, _fields(shape))}")
    return {**held, name: _set_in(held.get(name), name, path, further, value)}


def _set_in(held: Any, name: str, path: str, rest: str, value: Any) -> Any:
    """Return a value in which what `rest` leads to is another one; `name` is the field that the value is of."""
    if not rest:
        return value
    if isinstance(held, list):
        return _set_item(held, name, path, rest, value)
    if name in _STRUCTURED:
        return _set_field(_object(held, path), _STRUCTURED[name], path, rest, value, name)
    if name in _FLAT:
        return {**_object(held, path), rest: value}
    return _set_key(_object(held, path), path, rest, value)


def _set_item(held: list[Any], name: str, path: str, rest: str, value: Any) -> list[Any]:
    step, _, further = rest.partition(".")
    if not (step.isascii() and step.isdigit() and len(step) < 10 and int(step) < len(held)):
        _refuse(path, f"{step[:60]!r} is none of the items here, which are 0 to {len(held) - 1}" if held else "is empty here")
    at = int(step)
    return [*held[:at], _set_in(held[at], name if name in _STRUCTURED else "", path, further, value), *held[at + 1 :]]


def _set_key(held: Mapping[str, Any], path: str, rest: str, value: Any) -> dict[str, Any]:
    """Set something in an object of the user's own, whose keys may have dots: the longest that fits is meant."""
    key = max((key for key in held if f"{rest}.".startswith(f"{key}.")), key=len, default=None)
    if key is not None:
        return {**held, key: _set_in(held[key], "", path, rest[len(key) + 1 :], value)}
    if "." in rest:
        step = rest.partition(".")[0]
        _refuse(path, f"there is no {step[:60]!r} here{_instead(step, held)}")
    return {**held, rest: value}


def _object(held: Any, path: str) -> Mapping[str, Any]:
    if held is None:
        return {}
    if not isinstance(held, Mapping):
        _refuse(path, f"leads into {kind(held)}, which has no parts")
    return held


def _by_name(fault: Fault, described: Mapping[str, Any]) -> Fault:
    """Name the stage in a fault's path as paths of edits do."""
    found = _NUMBERED_STAGE.match(fault.path)
    if found is None:
        return fault
    name = described["stages"][int(found[1])]["name"]
    return Fault(f"stages.{name}{fault.path[found.end() :]}", fault.reason)


def _fields(shape: type) -> list[str]:
    return [field.name for field in fields(shape)]


def _instead(name: str, known: Iterable[str]) -> str:
    """Say what there is where something else was named."""
    known = list(known)
    said = suggestion(name, known)
    return f"{said} There is {_listed(known)}" if said else f"; there is {_listed(known)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(name[:60] for name in names[:LISTED]) + more if names else "nothing"


def _refuse(path: str, reason: str) -> NoReturn:
    raise InvalidSpec([Fault(path[:200], reason)])
