"""From requests of Scale's clients to plain values. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wires.reading import Unreadable

LONGEST_REASON = 250
#: As many as the column can say.
MOST_HANDLERS = 32767
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
QUEUE_MODES = ("FIFO", "LIFO")
LARGEST_PAGE, PAGE = 1000, 100
_DURATION = re.compile(r"P(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})(?:\.\d+)?S)?)?")
ORDERS = ("id", "hostname", "pause_reason", "is_paused", "is_active", "deprecated", "created", "last_modified")


class Unacceptable(Unreadable):
    """A body says what it may not."""


@dataclass(frozen=True, slots=True)
class SchedulerChange:
    """What is to be changed of the scheduler; None where nothing is said."""

    is_paused: bool | None = None
    message_handlers: int | None = None
    log_level: str | None = None
    queue_mode: str | None = None


@dataclass(frozen=True, slots=True)
class NodeChange:
    """What is to be changed of a node; None where nothing is said."""

    is_paused: bool | None = None
    is_active: bool | None = None
    pause_reason: str | None = None


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """Which nodes are asked for, and in which order: pairs of a field and whether it is reversed."""

    page: int
    size: int
    started: datetime | None
    ended: datetime | None
    order: tuple[tuple[str, bool], ...]
    is_active: bool | None


def older_scheduler(body: bytes) -> SchedulerChange:
    """Read a change of the scheduler in the older shape, which knows one field."""
    return SchedulerChange(is_paused=_flag(_fields(body, ("is_paused",)), "is_paused"))


def scheduler(body: bytes) -> SchedulerChange:
    """Read a change of the scheduler."""
    given = _fields(body, ("is_paused", "num_message_handlers", "system_logging_level", "queue_mode"))
    return SchedulerChange(
        is_paused=_flag(given, "is_paused"),
        message_handlers=_handlers(given),
        log_level=_level(given),
        queue_mode=_queue_mode(given),
    )


def node(body: bytes) -> NodeChange:
    """Read a change of a node."""
    given = _fields(body, ("pause_reason", "is_paused", "is_active"))
    return NodeChange(_flag(given, "is_paused"), _flag(given, "is_active"), _reason(given))


def older_nodes(query: Mapping[str, Any], order: list[str], *, now: datetime) -> NodeQuery:
    """Read which nodes are asked for in the older shape, which leaves out those that are not active."""
    wanted = _nodes(query, order, now=now)
    return wanted if _boolean(query, "include_inactive") else _only_active(wanted)


def nodes(query: Mapping[str, Any], order: list[str], *, now: datetime) -> NodeQuery:
    """Read which nodes are asked for."""
    return _nodes(query, order, now=now, is_active=_boolean(query, "is_active"))


def number(given: str) -> int | None:
    """Return the number of a node, None for what can be none."""
    return int(given) if re.fullmatch(r"[0-9]{1,18}", given) else None


def _nodes(query: Mapping[str, Any], order: list[str], *, now: datetime, is_active: bool | None = None) -> NodeQuery:
    started, ended = _time(query, "started", now), _time(query, "ended", now)
    if started and ended and started > ended:
        raise Unreadable("Start time must come before end time.")
    page, size = _count(query, "page", 1), min(_count(query, "page_size", PAGE), LARGEST_PAGE)
    return NodeQuery(page, size, started, ended, _order(order), is_active)


def _only_active(wanted: NodeQuery) -> NodeQuery:
    return NodeQuery(wanted.page, wanted.size, wanted.started, wanted.ended, wanted.order, is_active=True)


def _fields(body: bytes, known: Collection[str]) -> Mapping[str, Any]:
    """Return the fields of a body; unknown ones are told of first, as Scale does."""
    try:
        given = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise Unacceptable("JSON parse error.") from error
    if not isinstance(given, dict):
        raise Unacceptable("A JSON object is expected.")
    if extra := [name for name in given if name not in known]:
        raise Unacceptable(f"Unexpected fields: {_printable(', '.join(extra))}")
    if not given:
        raise Unacceptable("No fields specified for update.")
    return given


def _printable(text: str) -> str:
    """Return a text without halves of characters, which JSON can name and no answer can carry."""
    return text.encode("utf-8", "replace").decode()


def _flag(given: Mapping[str, Any], name: str) -> bool | None:
    if name in given and not isinstance(given[name], bool):
        raise Unacceptable(f"Validation Error: {name} must be a boolean.")
    return given.get(name)


def _handlers(given: Mapping[str, Any]) -> int | None:
    name = "num_message_handlers"
    value = given.get(name)
    if name in given and (type(value) is not int or not 0 <= value <= MOST_HANDLERS):
        raise Unacceptable(f"Validation Error: {name} must be an integer from 0 to {MOST_HANDLERS}.")
    return value


def _level(given: Mapping[str, Any]) -> str | None:
    """Return a level of logging; of text, what is no level means INFO, as Scale's documentation says."""
    if "system_logging_level" not in given:
        return None
    value = _text(given, "system_logging_level").upper()
    return value if value in LEVELS else "INFO"


def _queue_mode(given: Mapping[str, Any]) -> str | None:
    if "queue_mode" not in given:
        return None
    value = _text(given, "queue_mode")
    if value.upper() not in QUEUE_MODES:
        told = f"Unexpected value {_printable(value)} for queue_mode. Valid values are {', '.join(QUEUE_MODES)}"
        raise Unacceptable(told)
    return value.upper()


def _reason(given: Mapping[str, Any]) -> str | None:
    if "pause_reason" not in given:
        return None
    value = "" if given["pause_reason"] is None else _text(given, "pause_reason")
    if len(value) > LONGEST_REASON or "\x00" in value or _printable(value) != value:
        raise Unacceptable(f"Validation Error: pause_reason must be text of at most {LONGEST_REASON} characters.")
    return value


def _text(given: Mapping[str, Any], name: str) -> str:
    if not isinstance(given[name], str):
        raise Unacceptable(f"Validation Error: {name} must be text.")
    return str(given[name])


def _boolean(query: Mapping[str, Any], name: str) -> bool | None:
    given = query.get(name)
    if given is None:
        return None
    if given.lower() not in ("true", "false", "t", "f", "1", "0"):
        raise Unreadable(f"Parameter must be a valid boolean: {name}")
    return given.lower() in ("true", "t", "1")


def _count(query: Mapping[str, Any], name: str, otherwise: int) -> int:
    given = query.get(name)
    if given is None:
        return otherwise
    if not re.fullmatch(r"[0-9]{1,9}", given) or not int(given):
        raise Unreadable(f"Parameter must be a positive integer: {name}")
    return int(given)


def _time(query: Mapping[str, Any], name: str, now: datetime) -> datetime | None:
    """Return a time that is given as such, or as how long ago it was."""
    given = query.get(name)
    if given is None:
        return None
    ago = _DURATION.fullmatch(given)
    if ago and any(ago.groups()):
        return _ago(now, [int(part or 0) for part in ago.groups()], name)
    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise Unreadable(f"Parameter must be a valid datetime: {name}") from error
    if at.tzinfo is None:
        raise Unreadable(f"Datetime value must include a timezone: {name}")
    return at


def _ago(now: datetime, parts: list[int], name: str) -> datetime:
    days, hours, minutes, seconds = parts
    try:
        return now - timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise Unreadable(f"Parameter must be a valid datetime: {name}") from error


def _order(given: list[str]) -> tuple[tuple[str, bool], ...]:
    """Read fields to order by; a minus turns one around."""
    if unknown := [name for name in given if name.removeprefix("-") not in ORDERS]:
        raise Unreadable(f"Cannot order by {', '.join(unknown)}.")
    return tuple((name.removeprefix("-"), name.startswith("-")) for name in given)
