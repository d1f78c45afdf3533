"""The scheduler as Flink's jobmanager: settings, logs from events, stacks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

#: The one log that there is: of what happened.
LOG = "events.log"
Event = Mapping[str, Any]


def config(settings: Mapping[str, str]) -> list[dict[str, str]]:
    """Return settings, by name."""
    return [{"key": name, "value": value} for name, value in settings.items()]


def log(newest_first: Sequence[Event]) -> str:
    """Return events as lines, oldest first."""
    return "".join(f"{each['at'].isoformat()} INFO {each['kind']} {_line(each['text'])}\n" for each in reversed(newest_first))


def logs(newest_first: Sequence[Event]) -> dict[str, Any]:
    """Return which logs there are."""
    at = round(newest_first[0]["at"].timestamp() * 1000) if newest_first else 0
    return {"logs": [{"name": LOG, "size": len(log(newest_first).encode()), "mtime": at}]}


def environment(version: str, machine: str) -> dict[str, Any]:
    """Return what the servers run in: a release of Python, where Flink has one of Java."""
    return {"jvm": {"version": version, "arch": machine, "options": []}, "classpath": []}


def threads(stacks: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return where threads stand."""
    return {"threadInfos": [{"threadName": name, "stringifiedThreadInfo": f'"{name}"\n{stack}'} for name, stack in stacks]}


def _line(text: str) -> str:
    return " ".join(text.splitlines())
