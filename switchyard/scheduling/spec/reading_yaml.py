"""YAML read as what JSON can say: no aliases, anchors, tags or merge keys, one document, each key once.

Built from libyaml's events, so that depth and size are checked while reading and nothing recurses. Plain
scalars follow the core schema of YAML 1.2: true and false are booleans; yes, no, on, off and dates are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from switchyard.scheduling.errors import Fault, InvalidSpec
from switchyard.scheduling.spec.limits import DEPTH, DIGITS, Limits

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS = {"": None, "~": None} | {
    spelled: value
    for word, value in {"null": None, "true": True, "false": False}.items()
    for spelled in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MISSING = object()


def read(text: str, limits: Limits) -> object:
    """Return the one document in `text` as plain data; raise InvalidSpec at the first thing refused."""
    try:
        return _Builder(limits.yaml_nodes).build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        _refuse(error.problem_mark or error.context_mark, f"is not YAML: {error.problem or error.context}")
    except yaml.YAMLError:
        _refuse(None, "is not YAML: it has a character that YAML does not allow")
    except UnicodeEncodeError:
        _refuse(None, "has half a surrogate pair")


class _Builder:
    """The document so far: the open collections, and the key of the innermost that waits for its value."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.nodes = 0
        self.open: list[Any] = []
        self.key: Any = _MISSING
        self.root: object = _MISSING

    def build(self, events: Iterator[Any]) -> object:
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._add(event, _scalar(event))
                case yaml.SequenceStartEvent():
                    self._enter(event, [])
                case yaml.MappingStartEvent():
                    self._enter(event, {})
                case yaml.CollectionEndEvent():
                    self.open.pop()
                case yaml.AliasEvent():
                    _refuse(event.start_mark, "has an alias (*): write the value out")
        return None if self.root is _MISSING else self.root

    def _enter(self, event: Any, collection: Any) -> None:
        if len(self.open) >= DEPTH:
            _refuse(event.start_mark, f"is nested deeper than {DEPTH} levels")
        self._add(event, collection)
        self.open.append(collection)

    def _add(self, event: Any, value: object) -> None:
        self._check(event)
        if not self.open:
            self._begin(event, value)
        elif isinstance(self.open[-1], list):
            self.open[-1].append(value)
        elif self.key is _MISSING:
            self.key = _key(event, value, self.open[-1])
        else:
            self.open[-1][self.key] = value
            self.key = _MISSING

    def _begin(self, event: Any, value: object) -> None:
        if self.root is not _MISSING:
            _refuse(event.start_mark, "has a second document: send one at a time")
        self.root = value

    def _check(self, event: Any) -> None:
        self.nodes += 1
        if event.anchor is not None:
            _refuse(event.start_mark, "has an anchor (&): write the value out where it is needed")
        if event.tag is not None:
            _refuse(event.start_mark, "has a tag (!): leave it away")
        if self.nodes > self.most:
            _refuse(
                event.start_mark,
                f"has more than {self.most:,} values (limit 'yaml_nodes'): send JSON instead",
            )


def _scalar(event: Any) -> object:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return _number(text, event.start_mark) if text[0] in "-+.0123456789" else text


def _number(text: str, mark: Any) -> object:
    if len(text) > DIGITS:
        if any(kind.fullmatch(text) for kind in (_INTEGER, _OTHER_BASE, _FLOAT)):
            _refuse(mark, f"has a number of more than {DIGITS:,} digits")
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text


def _key(event: Any, value: object, mapping: dict[str, object]) -> str:
    if not isinstance(value, str):
        _refuse(event.start_mark, "has a key that is not text: write it in quotes")
    if value == "<<" and event.implicit[0]:
        _refuse(event.start_mark, "has a merge key (<<): write the fields out")
    if value in mapping:
        _refuse(event.start_mark, f"has the key {value[:60]!r} twice in one object")
    return value


def _refuse(mark: Any, reason: str) -> NoReturn:
    where = f", line {mark.line + 1}, column {mark.column + 1}," if mark else ""
    raise InvalidSpec([Fault("", f"the job description{where} {reason}")])
