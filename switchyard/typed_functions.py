"""Functions that were typed at a prompt or in a notebook: they have no file, so that one is written of their source.

What else they use goes along where it can be written down: modules, what was imported from modules, other functions.
"""

import inspect
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from switchyard.errors import Unpackable

MODULE = "typed"


def source(function: Callable[..., Any]) -> str:
    """Return the text of a module that holds a function; raises Unpackable."""
    lines: list[str] = []
    _write(function, lines, set())
    return "\n".join(lines)


def _write(function: Callable[..., Any], lines: list[str], written: set[str]) -> None:
    written.add(function.__name__)
    text = _text(function)
    for name, value in inspect.getclosurevars(function).globals.items():
        if name in written:
            continue
        if isinstance(value, FunctionType) and value.__module__ == function.__module__ and value.__name__ == name:
            _write(value, lines, written)
        else:
            lines.append(_import(function, name, value))
    lines.append(text)


def _text(function: Callable[..., Any]) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise Unpackable(
            f"python: {function.__name__} was typed where Python keeps no source: put it into a file of its own, "
            "say mytasks.py, and import it from there (from mytasks import " + f"{function.__name__})"
        ) from error


def _import(function: Callable[..., Any], name: str, value: object) -> str:
    if isinstance(value, ModuleType):
        return f"import {value.__name__} as {name}"
    home, own = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if isinstance(home, str) and home not in ("__main__", function.__module__) and own.isidentifier():
        return f"from {home} import {own} as {name}"
    raise Unpackable(
        f"python: {function.__name__} uses {name}, which is defined beside it: hand it over as an argument, or put both "
        "into a file of their own and import it"
    )
