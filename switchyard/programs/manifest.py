"""`switchyard.yaml` of a program: named jobs, parameterised by arguments and parallelism (docs/programs.md)."""

import json
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from switchyard.programs.errors import BadArchive, BadEntry
from switchyard.programs.sizing import PARALLELISM, with_parallelism
from switchyard.scheduling.errors import InvalidSpec
from switchyard.scheduling.spec import Limits
from switchyard.scheduling.spec.fields import CALLABLE_PATTERN
from switchyard.scheduling.spec.reading import read

NAME = "switchyard.yaml"
#: Bytes that it may have.
LARGEST = 1024 * 1024
LONGEST_FUNCTION = 200
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_PLACE = re.compile(r"\$\{\{ *parallelism *\}\}")
_FIELDS = {"description", "parameters", "job"}
_CALLED_FIELDS = {"description", "entry"}
_FUNCTION = re.compile(CALLABLE_PATTERN)
_TEXTS = {"command", "env", "name"}
Value = str | int | float | bool


class _Text(string.Template):
    """A text with `${{ name }}` in it; a shell's own `$name` and `${name}` stay."""

    #: Compiled by Template.
    pattern: ClassVar[Any] = r"""\$\{\{ [ ]* (?:
        (?P<named>[a-z][a-z0-9_]*) [ ]* \}\} | (?P<braced>(?!)) | (?P<escaped>(?!)) | (?P<invalid>) )"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A named job: its parameters with their defaults (None: must be given), and its description with places for them.

    Or the function that describes it, which takes its arguments as they are.
    """

    name: str
    description: str | None
    parameters: Mapping[str, Value | None] = field(default_factory=dict)
    job: Mapping[str, Any] = field(default_factory=dict)
    function: str | None = None


def parse(text: bytes | str) -> dict[str, Entry]:
    """Return the entries of a manifest by name, in their order; raises BadArchive."""
    try:
        told = read(text, "yaml", Limits())
    except InvalidSpec as error:
        raise BadArchive(f"{NAME}: {error.faults[0].sentence}") from error
    jobs = told.get("jobs") if isinstance(told, dict) and told.keys() <= {"jobs"} else None
    if not isinstance(jobs, dict) or not jobs:
        raise BadArchive(f"{NAME} must have `jobs`, an object of jobs by their names, and nothing else.")
    return {name: _entry(name, job) for name, job in jobs.items()}


def checked_function(name: str) -> str:
    """Return the name of a function; raises BadEntry for what is none."""
    if len(name) > LONGEST_FUNCTION or not _FUNCTION.fullmatch(name):
        raise BadEntry(f"{name!r:.100} is no function: it must be written module:function.")
    return name


def described(entry: Entry, arguments: Sequence[str], parallelism: int | None) -> dict[str, Any]:
    """Return the description of the job with its arguments; raises BadEntry."""
    given = dict(_pairs(arguments, entry))
    values: dict[str, Value] = {PARALLELISM: parallelism or 1}
    for name, default in entry.parameters.items():
        if name in given:
            values[name] = _read(name, given[name], default)
        elif name == PARALLELISM and parallelism is not None:
            continue
        elif default is None:
            raise BadEntry(f"{entry.name} needs the argument --{name}.")
        else:
            values[name] = default
    job = {name: _filled(value, values, name) for name, value in entry.job.items()}
    return job if _PLACE.search(json.dumps(entry.job)) else with_parallelism(job, parallelism)


def _entry(name: str, told: object) -> Entry:
    at = f"{NAME}: jobs.{name[:60]}"
    if not _NAME.fullmatch(name):
        raise BadArchive(f"{at}: a name has letters, digits, _ . and -, and begins with a letter.")
    if isinstance(told, dict) and "entry" in told:
        return _called_entry(at, name, told)
    if not isinstance(told, dict) or not told.keys() <= _FIELDS or not isinstance(told.get("job"), dict):
        raise BadArchive(
            f"{at} must have `job`, a job description, and may have `description` and `parameters`; or `entry`, a function."
        )
    description, parameters = told.get("description"), told.get("parameters") or {}
    if not isinstance(description, str | None) or not isinstance(parameters, dict):
        raise BadArchive(f"{at}: `description` is a text, and `parameters` an object of names and defaults.")
    for parameter, default in parameters.items():
        if not _PARAMETER.fullmatch(parameter) or not isinstance(default, str | int | float | bool | None):
            raise BadArchive(
                f"{at}.parameters: {parameter[:60]!r} must be a-z 0-9 _, with a text, a number, a boolean or null."
            )
    return Entry(name, description, parameters, told["job"])


def _called_entry(at: str, name: str, told: dict[str, Any]) -> Entry:
    description, function = told.get("description"), told["entry"]
    if not told.keys() <= _CALLED_FIELDS or not isinstance(description, str | None) or not isinstance(function, str):
        raise BadArchive(f"{at} with `entry`, a function `module:function`, may have a `description`, and nothing else.")
    try:
        return Entry(name, description, function=checked_function(function))
    except BadEntry as error:
        raise BadArchive(f"{at}.entry: {error}") from None


def _pairs(arguments: Sequence[str], entry: Entry) -> list[tuple[str, str]]:
    """Read `--name value` and `--name=value`."""
    pairs, left = [], list(arguments)
    while left:
        option = left.pop(0)
        name, equals, value = option.removeprefix("--").partition("=")
        if not option.startswith("--") or name not in entry.parameters:
            known = ", ".join(f"--{each}" for each in entry.parameters) or "none"
            raise BadEntry(f"{entry.name} takes no argument {option[:60]!r}; it takes {known}.")
        if not equals and not left:
            raise BadEntry(f"The argument --{name} needs a value.")
        pairs.append((name, value if equals else left.pop(0)))
    return pairs


def _read(name: str, given: str, default: Value | None) -> Value:
    """Read an argument as its default is: a number, a boolean, else a text."""
    if isinstance(default, str | None):
        return given
    try:
        value = json.loads(given)
    except (ValueError, RecursionError):
        value = None
    kinds: tuple[type, ...] = (bool,) if isinstance(default, bool) else (int,) if isinstance(default, int) else (int, float)
    if not isinstance(value, kinds) or isinstance(value, bool) is not isinstance(default, bool):
        raise BadEntry(f"The argument --{name} must be like its default, {json.dumps(default)}; it is {given[:60]!r}.")
    return cast("Value", value)


def _filled(value: Any, values: Mapping[str, Value], at: str, *, texts: bool = False) -> Any:
    """Put values in their places; what is below `command` and `env` stays text."""
    if isinstance(value, str):
        filled = _filled_text(value, values, at)
        return _told(filled) if texts else filled
    if isinstance(value, dict):
        return {name: _filled(each, values, f"{at}.{name}", texts=texts or name in _TEXTS) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values, f"{at}[{place}]", texts=texts) for place, each in enumerate(value)]
    return value


def _filled_text(text: str, values: Mapping[str, Value], at: str) -> Value:
    """A text that is a parameter alone becomes its value, of its kind."""
    template = _Text(text)
    whole = _Text.pattern.fullmatch(text)
    try:
        if whole and whole["named"]:
            return values[whole["named"]]
        return template.substitute({name: _told(value) for name, value in values.items()})
    except KeyError as error:
        raise BadEntry(f"{NAME}: {at} names the parameter {error.args[0]!r}, which is not declared.") from None
    except ValueError:
        raise BadEntry(f"{NAME}: {at} has a '${{{{' that no parameter follows.") from None


def _told(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
