"""Call the function of a program that describes a job. Runs on agents, as the one task of the job that plans it."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from switchyard import task
from switchyard.programs.errors import BadEntry
from switchyard.programs.sizing import PARALLELISM, with_parallelism
from switchyard.scheduling.errors import SwitchyardError

#: The folder of the program whose function is being called. What lies in it comes along with the program.
folder: Path | None = None


def describe(entry: str, arguments: Sequence[str], parallelism: int | None, most: int) -> dict[str, Any]:
    """Return the job that `module:function` describes, as JSON of at most so many bytes; raises BadEntry."""
    try:
        with _in_program():
            function = _found(entry)
            named = PARALLELISM in _parameters(function)
            made = _called(function, entry, list(arguments), {PARALLELISM: parallelism} if named else {})
            job = _description(made, entry)
    except SystemExit as error:
        raise BadEntry(f"{entry} left by sys.exit({error.code!r:.100}) instead of returning a job.") from None
    _require_size(job, entry, most)
    return job if named else with_parallelism(job, parallelism)


@contextmanager
def _in_program() -> Iterator[None]:
    global folder  # noqa: PLW0603 - a process calls one function at a time
    folder = Path.cwd()
    try:
        yield
    finally:
        folder = None


def _found(entry: str) -> Callable[..., Any]:
    module, _, name = entry.partition(":")
    try:
        with task.loading():
            found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise BadEntry(f"{entry}: the program has no module {error.name}.") from None
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise BadEntry(f"{entry}: the module {module} has no function {name}.")
    function: Callable[..., Any] = found
    return function


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (ValueError, TypeError):
        return ["arguments"]


def _called(function: Callable[..., Any], entry: str, arguments: list[str], named: dict[str, Any]) -> object:
    if set(_parameters(function)) - named.keys():
        return function(arguments, **named)
    if arguments:
        raise BadEntry(f"{entry} takes no arguments, and was given {len(arguments)}.")
    return function(**named)


def _description(made: object, entry: str) -> dict[str, Any]:
    builder = sys.modules.get("switchyard.builder")
    if builder is not None and isinstance(made, builder.Job):
        try:
            described: dict[str, Any] = made.description()
        except SwitchyardError as error:
            raise BadEntry(f"{entry} returned a job that is not valid: {error}") from None
        return described
    if not isinstance(made, dict):
        raise BadEntry(
            f"{entry} returned {type(made).__qualname__:.100}; it must return a switchyard.Job, or a description as a dict."
        )
    return made


def _require_size(job: dict[str, Any], entry: str, most: int) -> None:
    try:
        size = len(json.dumps(job))
    except (TypeError, ValueError, RecursionError):
        return  # Said with the place in it where the result is written.
    if size > most:
        raise BadEntry(f"{entry} returned a description of {size:,} bytes; at most {most:,} are accepted.")
