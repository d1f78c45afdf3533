"""Find a value that JSON cannot represent, with its place and a replacement. Runs in workers."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from enum import Enum
from numbers import Number
from typing import Any

KEYS = (str, int, float, bool, type(None))
PLAIN = (str, int, float, bool, type(None), dict, list, tuple)
#: Characters of a key that are shown.
SHOWN = 60
LOOP = object()

#: What a value has, and what to return instead of the value.
BY_ATTRIBUTE = {
    "tolist": ".tolist()",
    "to_dict": ".to_dict()",
    "model_dump": '.model_dump(mode="json")',
    "isoformat": ".isoformat()",
}
BY_TYPE: dict[type | tuple[type, ...], str] = {
    Enum: ".value",
    (bytes, bytearray, memoryview): "base64.b64encode(...).decode(), or .decode() if it is text",
    (set, frozenset): "sorted(...) or list(...)",
    Number: "float(...) or str(...)",
    Iterable: "list(...)",
}


def find(result: Any) -> str:
    """Say where the first such thing stands, and what to do; empty if nothing was found."""
    try:
        return next((said for path, value in _walk("result", result, ()) if (said := _judge(path, value))), "")
    except RecursionError:
        return "the result is nested too deeply"


def find_text(result: Any, unwanted: str) -> str:
    """Return the path of the first text or key that contains some text."""
    for path, value in _walk("result", result, ()):
        if isinstance(value, str) and unwanted in value:
            return path
        if isinstance(value, dict) and any(unwanted in key for key in value if isinstance(key, str)):
            return f"a key of {path}"
    return "result"


def is_numpy_scalar(value: Any) -> bool:
    """Say whether a value is a single number of numpy, which this does not import."""
    return _of_numpy(value) and isinstance(value.item(), bool | int | float | str)


def _of_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()


def _walk(path: str, value: Any, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """Yield a value and all that is in it, each with its path; LOOP for what holds itself."""
    if id(value) in above:
        yield path, LOOP
        return
    yield path, value
    if isinstance(value, dict):
        parts: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list | tuple):
        parts = enumerate(value)
    else:
        return
    for key, part in parts:
        shown = repr(key)
        yield from _walk(f"{path}[{shown if len(shown) <= SHOWN else shown[:SHOWN] + '...'}]", part, (*above, id(value)))


def _judge(path: str, value: Any) -> str:
    if value is LOOP:
        return f"{path} holds itself"
    if is_numpy_scalar(value):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return f"{path} is {value}, which is not JSON compliant; return None or a text instead"
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, KEYS)), None)
        return f"a key of {path} is {_kind(odd)}; keys must be text: use str(...)" if odd is not None else ""
    if isinstance(value, PLAIN):
        return ""
    return f"{path} is {_kind(value)}, which is not JSON serializable; return {_instead(value)} instead"


def _instead(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return "dataclasses.asdict(...)"
    if _of_numpy(value):
        return "str(...)"
    for name, what in BY_ATTRIBUTE.items():
        if callable(getattr(value, name, None)):
            return what
    for kind, what in BY_TYPE.items():
        if isinstance(value, kind):
            return what
    return "str(...), or a dict of what matters in it,"


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
