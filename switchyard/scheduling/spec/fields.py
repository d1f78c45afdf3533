"""The kinds of field that a job description is made of: names, numbers, quantities, and their short forms.

Each is an annotation that validates, converts and publishes its JSON Schema. What spans several fields is in
checks.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, SkipValidation, WithJsonSchema
from pydantic_core import PydanticCustomError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
LABEL_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$"
VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,49}$"
ENV_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,199}$"
EXCEPTION_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"
CALLABLE_PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"

MOST = 1_000_000_000
LONGEST = 10 * 365 * 86_400
WHOLE = 1_000

_RESOURCE = re.compile(r"[a-z][a-z0-9_.-]{0,49}")
_DEVICE = re.compile(r"gpu[0-9]+")
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?) ?(M|G|T)iB")
_MEBIBYTES = {"M": 1, "G": 1024, "T": 1024 * 1024}


def _fault(reason: str) -> PydanticCustomError:
    return PydanticCustomError("switchyard", "{reason}", {"reason": reason})


def printable(text: str) -> str:
    """Return `text` if people can read it on one line."""
    if not text.strip():
        raise _fault("must not be empty")
    if not text.isprintable():
        raise _fault("must be printable text on one line: no control, invisible or direction characters")
    return text


def relative_path(path: str) -> str:
    """Return `path` if it stays inside the folder that it is relative to."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise _fault(f"{path[:60]!r} must be a relative path with plain parts: no leading '/', no '..', no '\\'")
    if len(path) > 1_000 or any(len(part.encode()) > 255 for part in parts) or not path.isprintable():
        raise _fault(f"{path[:60]!r} must be printable, with at most 255 bytes a part and 1,000 characters in all")
    return path


def base64_text(text: str) -> str:
    """Return `text` if it is base64."""
    try:
        b64decode(text, validate=True)
    except ValueError:
        raise _fault("must be base64: A-Z a-z 0-9 + / and = at the end, on one line") from None
    return text


def file_pattern(pattern: str) -> str:
    """Return `pattern` if all that it matches lies inside the folder that it is relative to."""
    relative_path(pattern)
    if any("**" in part and part != "**" for part in pattern.split("/")) or pattern.endswith("**"):
        raise _fault(f"{pattern[:60]!r} may have ** only as a part of its own with more behind it, such as parts/**/*.csv")
    return pattern


def free_variable(name: str) -> str:
    """Return `name` unless the agent sets this environment variable itself."""
    if name.startswith("SWITCHYARD_"):
        raise _fault(f"{name[:60]!r} is set by the agent; choose a name without SWITCHYARD_")
    return name


def thousandths(value: object) -> int:
    """Read 0.5, "0.5" or "500m" as 500, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _fault('must be a number such as 2 or 0.5, or thousandths such as "500m"')
    text = str(value)
    scaled = _decimal(text[:-1]) if text.endswith("m") else _decimal(text) * WHOLE
    return _whole(scaled, "must not be finer than 0.001")


def mebibytes(value: object) -> int:
    """Read a whole number of MiB, or a text such as "512MiB", "2GiB", "1.5TiB"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _whole(Decimal(value), "")
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _fault('must be a whole number of MiB, or a text such as "512MiB", "2GiB" or "1TiB"')
    return _whole(Decimal(match[1]) * _MEBIBYTES[match[2]], "must be a whole number of MiB")


def devices(value: object) -> int:
    """Read GPUs: a fraction of one device below 1, or whole devices; in thousandths."""
    count = thousandths(value)
    if count > WHOLE and count % WHOLE:
        raise _fault("must be a fraction below 1 (a part of one device) or a whole number of devices")
    return count


def plain_count(value: object) -> int:
    """Read the amount of a resource that has no unit."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _fault("must be a whole number")
    return _whole(Decimal(value), "")


def resources(value: object) -> dict[str, int]:
    """Read named amounts: cpus and gpus in thousandths, mem and disk in MiB, others as they are."""
    if not isinstance(value, Mapping):
        raise _fault("must be an object of names and amounts, such as {cpus: 2, mem: 2GiB}")
    return {"cpus": WHOLE} | {name: _amount(name, amount) for name, amount in value.items()}


def written_resources(amounts: Mapping[str, int]) -> dict[str, int | str]:
    """Return resources as `resources` reads them."""
    return {name: f"{amount}m" if name in ("cpus", "gpus") else amount for name, amount in amounts.items()}


def type_reference(value: object) -> object:
    """Read "name" or "name:version" as an object."""
    if not isinstance(value, str):
        return value
    name, colon, version = value.partition(":")
    return {"name": name, "version": version} if colon else {"name": name}


def constraint_list(value: object) -> object:
    """Read {label: value} or {label: [values]} as a list of constraints."""
    if not isinstance(value, Mapping):
        return value
    return [_constraint(label, wanted) for label, wanted in value.items()]


def need(value: object) -> object:
    """Read the name of a stage as a need for all of it."""
    return {"stage": value} if isinstance(value, str) else value


_READERS: dict[str, Callable[[object], int]] = {
    "cpus": thousandths,
    "mem": mebibytes,
    "disk": mebibytes,
    "gpus": devices,
}


def _amount(name: object, amount: object) -> int:
    if not isinstance(name, str) or not _RESOURCE.fullmatch(name):
        raise _fault(f"{str(name)[:60]!r} must be a name such as 'licenses': a-z first, then a-z 0-9 _ . -")
    if _DEVICE.fullmatch(name):
        raise _fault(f"{name!r} names one device of a node; ask for 'gpus'")
    try:
        return _READERS.get(name, plain_count)(amount)
    except PydanticCustomError as error:
        raise _fault(f"{name} {error.message()}") from None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text) if len(text) <= 24 and "_" not in text else Decimal("nan")
    except InvalidOperation:
        return Decimal("nan")


def _whole(amount: Decimal, finer: str) -> int:
    if not amount.is_finite():
        raise _fault('must be a number such as 2 or 0.5, or thousandths such as "500m"')
    if not 0 < amount <= MOST:
        raise _fault(f"must be above 0 and at most {MOST:,} of its smallest unit")
    if amount != amount.to_integral_value():
        raise _fault(finer)
    return int(amount)


def _constraint(label: object, wanted: object) -> dict[str, object]:
    if isinstance(wanted, list):
        return {"label": label, "op": "in", "values": wanted}
    return {"label": label, "op": "eq", "values": [wanted]}


_RESOURCES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": 'What one task occupies. cpus and gpus: 2, 0.5 or "500m"; mem and disk: MiB or "2GiB".',
    "properties": {
        "cpus": {"type": ["number", "string"], "exclusiveMinimum": 0},
        "gpus": {"type": ["number", "string"], "exclusiveMinimum": 0},
        "mem": {"type": ["integer", "string"], "minimum": 1},
        "disk": {"type": ["integer", "string"], "minimum": 1},
    },
    "additionalProperties": {"type": "integer", "minimum": 1, "maximum": MOST},
    "propertyNames": {"pattern": f"^{_RESOURCE.pattern}$"},
    "default": {"cpus": 1},
}

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Text = Annotated[str, Field(min_length=1), AfterValidator(printable)]
ShortText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable)]
Label = Annotated[str, Field(pattern=LABEL_PATTERN)]
LabelValue = ShortText
Version = Annotated[str, Field(pattern=VERSION_PATTERN)]
Variable = Annotated[str, Field(pattern=ENV_PATTERN), AfterValidator(free_variable)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. +-]{0,199}$")]
RelativePath = Annotated[str, AfterValidator(relative_path)]
Base64 = Annotated[str, AfterValidator(base64_text)]
FilePattern = Annotated[str, AfterValidator(file_pattern)]
Callable_ = Annotated[str, Field(pattern=CALLABLE_PATTERN, max_length=500)]
ExceptionName = Annotated[str, Field(pattern=EXCEPTION_PATTERN, max_length=200)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=LONGEST, allow_inf_nan=False)]
Wait = Annotated[float, Field(strict=True, ge=0, le=LONGEST, allow_inf_nan=False)]
Json = Annotated[JsonValue, SkipValidation]
ResourceMap = Annotated[
    Mapping[str, int],
    BeforeValidator(resources),
    WithJsonSchema(_RESOURCES_SCHEMA),
]
