"""Check that a worker's lines are ends of its tasks. Tasks share the worker's process and can write anything."""

from typing import Any

import msgspec

from switchyard.agent.core.ends import Written, read_end
from switchyard.agent.core.workers import Worker
from switchyard.messaging import encoding
from switchyard.scheduling.lifecycle.ends import Outcome

Task = tuple[int, int, int]
#: An end: a list has a result and little else; {"skipped": task} is of a task that the worker passed over.
Ended = list[Any] | dict[str, Any] | Written
#: Types of what follows stage, attempt and index in an end that is a list (switchyard.agent.worker.pipes.plain_end).
PLAIN = (int, int, str, int, str)
#: What an end has that is a list with nothing beside the result.
SHORT = 6
#: Characters of a line that is none which are shown.
SHOWN = 80


#: What an end says that is an object, whatever else; workers cancel nothing.
SAID = {"begun", "ended", "inputs", "outcome"}


def take(lines: bytes, worker: Worker) -> tuple[list[Ended], bytes, str]:
    """Return the ends that whole lines tell, these lines, and the first line that tells none ("": there is no such line).

    What comes after such a line is not read: which task it is of cannot be known.
    """
    each = lines.splitlines()
    due = worker.due(len(each))
    try:
        ends = encoding.decode(b"[" + b",".join(each) + b"]")
    except (ValueError, RecursionError):
        ends = []
    if len(ends) == len(each) == len(due):
        if _are_plain(ends, due):
            return ends, lines, ""
        read = [end for each in zip(ends, due, strict=True) if (end := _read(*each)) is not None]
        if len(read) == len(due):
            return read, lines, ""
    return _until_wrong(each, due)


def _are_plain(ends: list[Any], due: list[Task]) -> bool:
    """Say whether these are ends of these tasks with a result and nothing else, as nearly all are: column by column."""
    if set(map(type, ends)) != {list} or set(map(len, ends)) != {SHORT}:
        return False
    stages, attempts, indexes, begun, ended, results = zip(*ends, strict=True)
    is_due = list(zip(stages, attempts, indexes, strict=True)) == due
    return is_due and {*map(type, begun), *map(type, ended)} == {int} and set(map(type, results)) == {str}


def _until_wrong(lines: list[bytes], due: list[Task]) -> tuple[list[Ended], bytes, str]:
    ends: list[Ended] = []
    for line, task in zip(lines, [*due, None], strict=False):
        try:
            end = encoding.decode(line)
        except (ValueError, RecursionError):
            break
        read = None if task is None else _read(end, task)
        if read is None:
            break
        ends.append(read)
    good = b"".join(line + b"\n" for line in lines[: len(ends)])
    return ends, good, repr(lines[len(ends)][:SHOWN].decode(errors="replace"))


def _read(end: Any, task: Task) -> Ended | None:
    """Return the end of this task; None if the value is none."""
    if type(end) is list:
        types = tuple(map(type, end[3:]))
        return end if tuple(end[:3]) == task and len(end) >= SHORT and types == PLAIN[: len(types)] else None
    if type(end) is not dict:
        return None
    if "skipped" in end:
        return end if end["skipped"] == list(task) else None
    if not end.keys() >= SAID:
        return None
    try:
        written = read_end(end)
    except msgspec.ValidationError:
        return None
    is_due = (written.stage, written.attempt, written.index) == task
    return written if is_due and written.begun is not None and written.outcome is not Outcome.CANCELED else None
