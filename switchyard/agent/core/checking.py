"""Check that a worker's lines are ends of its tasks. Tasks share the worker's process and can write anything."""

from typing import Any, Literal

import msgspec

from switchyard.agent.core.workers import Worker
from switchyard.messaging import encoding

Task = tuple[int, int, int]
#: Types of what follows stage, attempt and index in an end that is a list (switchyard.agent.worker.pipes.plain_end).
PLAIN = (int, int, str, int, str)
#: What an end has that is a list with nothing beside the result.
SHORT = 6
#: Characters of a line that is none which are shown.
SHOWN = 80


class Told(msgspec.Struct):
    """An end that is an object; what is not listed here is not looked at."""

    begun: int
    ended: int
    inputs: int
    outcome: Literal["FINISHED", "FAILED"]
    result: str | None = None
    result_digest: str | None = None
    file: str | None = None
    error: str | None = None
    exit_code: int | None = None
    exceptions: list[str] = []
    fault: str = ""
    metrics: dict[str, float] | None = None
    accumulators: dict[str, Any] | None = None
    stdout: tuple[int, int] = (0, 0)
    stderr: tuple[int, int] = (0, 0)


def take(lines: bytes, worker: Worker) -> tuple[list[Any], bytes, str]:
    """Return the ends that whole lines tell, these lines, and the first line that tells none ("": there is no such line).

    What comes after such a line is not read: which task it is of cannot be known.
    """
    each = lines.splitlines()
    due = worker.due(len(each))
    try:
        ends = encoding.decode(b"[" + b",".join(each) + b"]")
    except (ValueError, RecursionError):
        ends = []
    if len(ends) == len(each) == len(due) and (_are_plain(ends, due) or all(map(_is_end, ends, due))):
        return ends, lines, ""
    return _until_wrong(each, due)


def _are_plain(ends: list[Any], due: list[Task]) -> bool:
    """Say whether these are ends of these tasks with a result and nothing else, as nearly all are: column by column."""
    if set(map(type, ends)) != {list} or set(map(len, ends)) != {SHORT}:
        return False
    stages, attempts, indexes, begun, ended, results = zip(*ends, strict=True)
    is_due = list(zip(stages, attempts, indexes, strict=True)) == due
    return is_due and {*map(type, begun), *map(type, ended)} == {int} and set(map(type, results)) == {str}


def _until_wrong(lines: list[bytes], due: list[Task]) -> tuple[list[Any], bytes, str]:
    ends: list[Any] = []
    for line, task in zip(lines, [*due, None], strict=False):
        try:
            end = encoding.decode(line)
        except (ValueError, RecursionError):
            break
        if task is None or not _is_end(end, task):
            break
        ends.append(end)
    good = b"".join(line + b"\n" for line in lines[: len(ends)])
    return ends, good, repr(lines[len(ends)][:SHOWN].decode(errors="replace"))


def _is_end(end: Any, task: Task) -> bool:
    """Say whether a value is the end of this task."""
    if type(end) is list:
        types = tuple(map(type, end[3:]))
        return tuple(end[:3]) == task and len(end) >= SHORT and types == PLAIN[: len(types)]
    if type(end) is not dict:
        return False
    if "skipped" in end:
        return bool(end["skipped"] == list(task))
    if (end.get("stage"), end.get("attempt"), end.get("index")) != task:
        return False
    try:
        msgspec.convert(end, Told)
    except msgspec.ValidationError:
        return False
    return True
