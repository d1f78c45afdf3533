"""Failures of tasks, from exceptions and from faults of the machine. Runs in workers."""

import importlib
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from switchyard.agent.machine import faults

ERROR_LIMIT = 8 * 1024
#: The files whose frames are not shown above those of a task.
OURS = (
    *(str(Path(__file__).with_name(name)) for name in ("python_task.py", "coroutines.py")),
    str(Path(__file__).parents[2] / "programs" / "calling.py"),
)
#: The files of Python whose frames stand between us and a module that is imported.
IMPORTING = (importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task did not finish; `exit_class` as in scheduling.retry.

    `fault` says what of the node is the cause, if so; `unfit` why the node can run no task of the stage.
    """

    exit_class: str
    error: str
    exceptions: tuple[str, ...] = ()
    exit_code: int | None = None
    fault: str = ""
    unfit: str = ""


def describe(error: BaseException) -> Failure:
    """Return an exception as a failure: its classes by name, and where it came from outside of this package."""
    names = tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__[:-1])
    exit_code = exit_code_of(error) if isinstance(error, SystemExit) else None
    return Failure("user_error", _text(error, _outside(error.__traceback__)), names, exit_code)


def exit_code_of(error: SystemExit) -> int:
    """Return what a process would exit with; never 0 for what is not 0."""
    if isinstance(error.code, int):
        return error.code & 0xFF or int(error.code != 0)
    return int(error.code is not None)


def _outside(frames: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that comes after our own frames, and after those that import a callable's module."""
    rest = frames
    while frames:
        if frames.tb_frame.f_code.co_filename in OURS:
            rest = frames.tb_next
        frames = frames.tb_next
    while rest and rest.tb_frame.f_code.co_filename in IMPORTING:
        rest = rest.tb_next
    return rest


def _text(error: BaseException, inner: TracebackType | None) -> str:
    """Return the traceback; of a long one the last frames, the class, and how the message begins."""
    text = "".join(traceback.format_exception(type(error), error, inner))
    if len(text) <= ERROR_LIMIT:
        return text
    message = "".join(traceback.format_exception_only(type(error), error))
    left_out = len(message) - ERROR_LIMIT // 2
    if left_out > 0:
        message = f"{message[: ERROR_LIMIT // 2]}\n[{left_out} characters left out]\n"
    return f"{_last_frames(inner, ERROR_LIMIT - len(message))}{message}"


def _last_frames(inner: TracebackType | None, most: int) -> str:
    frames = traceback.format_tb(inner)
    left_out = 0
    while left_out < len(frames) and sum(map(len, frames[left_out:])) > most:
        left_out += 1
    gap = [f"  [{left_out} frames left out]\n"] if left_out else []
    return "".join(["Traceback (most recent call last):\n", *gap, *frames[left_out:]])


def fault(error: OSError, data: Path, exit_code: int | None = None) -> Failure:
    """Return as a failure that the node could not do its part."""
    text = faults.describe(error, data)
    return Failure("lost", f"the node could not run the task: {text}", exit_code=exit_code, fault=text)
