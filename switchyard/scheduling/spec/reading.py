"""From the text of a job description to plain data: size, encoding, and JSON. YAML has a file of its own."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from typing import Literal, NoReturn

from switchyard.scheduling.errors import Fault, InvalidSpec, TooLarge
from switchyard.scheduling.spec import reading_yaml
from switchyard.scheduling.spec.limits import DIGITS, Limits, over

Format = Literal["json", "yaml"]

_TEXTS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"')


def read(text: bytes | str, format: Format | None, limits: Limits) -> object:
    """Return the decoded document; without a format, text that begins with '{' is JSON and any other is YAML.

    Raises TooLarge over the byte limit and InvalidSpec for the first thing that cannot be read.
    """
    _check_size(text, limits.bytes, "bytes")
    decoded = _decode(text)
    if (format or _guess(decoded)) == "json":
        return _read_json(decoded, limits)
    _check_size(decoded, limits.yaml_bytes, "yaml_bytes")
    return reading_yaml.read(decoded, limits)


def _check_size(text: bytes | str, most: int, limit: str) -> None:
    if len(text) > most:
        hint = ", or send JSON" if limit == "yaml_bytes" else ""
        raise TooLarge(f"the job description has {len(text):,} bytes; at most {most:,} are allowed (limit '{limit}')" + hint)


def _decode(text: bytes | str) -> str:
    if isinstance(text, bytes):
        if text.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\x00" in text[:4]:
            _refuse("must be UTF-8, not UTF-16 or UTF-32")
        try:
            text = text.decode()
        except UnicodeDecodeError as error:
            _refuse(f"must be UTF-8: byte {error.start} cannot be read")
    return text.removeprefix("\ufeff")


def _guess(text: str) -> Format:
    return "json" if text[:1_000].lstrip().startswith("{") else "yaml"


def _read_json(text: str, limits: Limits) -> object:
    if _values(text, limits.nodes) > limits.nodes:
        raise InvalidSpec([over("", f"more than {limits.nodes:,} values", "nodes", limits)])
    try:
        # NaN and Infinity, which are not JSON, are read and then refused like any number out of range, by their place.
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        _refuse(f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}")
    except RecursionError:
        _refuse("is nested too deeply")
    except ValueError:
        _refuse(f"has a number of more than {DIGITS:,} digits")


def _values(text: str, most: int) -> int:
    """Return how many values the text can hold at most; exact about texts only if that matters."""
    count = _separators(text)
    return count if count <= most else _separators(_TEXTS.sub("", text))


def _separators(text: str) -> int:
    return text.count(",") + text.count("[") + text.count("{") + 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        _refuse(f"has the key {twice[:60]!r} twice in one object")
    return found


def _refuse(reason: str) -> NoReturn:
    raise InvalidSpec([Fault("", f"the job description {reason}")])
