"""Run a Python stage in a worker: resolve the callable once and call it for each task."""

import importlib
import inspect
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import CoroutineType, TracebackType
from typing import Any

from switchyard import task as tasks
from switchyard.agent.core.records import LEFT_OUT, NO_RESULT, STORED
from switchyard.agent.machine import faults
from switchyard.agent.worker import coroutines, handed, results, states, unpatched
from switchyard.agent.worker.exchange import VARIABLE, Exchange
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.outputs import BadOutput
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import digest
from switchyard.scheduling.pointwise import overlapping
from switchyard.task import FAILED, Keeper, Task

_UNKNOWN = object()
ERROR_LIMIT = 8 * 1024
#: The files whose frames are not shown above those of a task.
OURS = (__file__, coroutines.__file__)
#: The files of Python whose frames stand between us and a module that is imported.
IMPORTING = (importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")
NOTHING = "null"
#: Seconds by which the times of files lag behind the clock.
TICK = 0.02


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task did not finish; `exit_class` as in scheduling.retry. `fault` says what of the node is the cause, if so."""

    exit_class: str
    error: str
    exceptions: tuple[str, ...] = ()
    exit_code: int | None = None
    fault: str = ""


class Written(str):
    """The JSON text of a list or an object: a task could change one that it shares with others."""

    __slots__ = ()


class Unloadable(Exception):
    """The callable cannot be loaded."""


class Given:
    """What a stage's tasks are given: the results of other stages, and items. It grows while the stage runs."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.parallelism: int = told["parallelism"]
        self._sizes: dict[str, int] = {name: size for name, size, _, _ in told["inputs"]}
        self._pointwise = {name for name, _, exchange, _ in told["inputs"] if exchange == "pointwise"}
        self._stages: dict[str, int] = {name: stage for name, _, _, stage in told["inputs"]}
        self._inputs: dict[str, list[Any]] = {name: [_UNKNOWN] * size for name, size in self._sizes.items()}
        #: The inputs that hold lists or objects.
        self._written: set[str] = set()
        self._unknown = dict(self._sizes)
        #: Whether tasks are given anything of other stages.
        self.needs = bool(self._sizes)
        #: By input, the tasks that gave no result, and of these those that are left out.
        self._without: dict[str, set[int]] = {}
        self._left_out: dict[str, set[int]] = {}
        self._items: dict[int, str] = {}
        #: By task, the pieces of the state that its next attempt goes on from.
        self._restored: dict[int, list[states.Piece]] = {}
        self._digest = 0
        self.version = 0

    def add(self, given: list[list[Any]]) -> None:
        """Take more of it: [stage name or null for an item, index, JSON text or why there is none (core.records)].

        Without a name, but not null, it is the state that a task is restored from.
        """
        for name, index, text in given:
            if name is None:
                self._items[index] = text
                continue
            if not name:
                self._restored[index] = unpatched.decode(text)
                continue
            if text.startswith(STORED):
                self._read(name, index, Path(text.removeprefix(STORED)))
                continue
            if text in (NO_RESULT, LEFT_OUT):
                self._without.setdefault(name, set()).add(index)
            if text == LEFT_OUT:
                self._left_out.setdefault(name, set()).add(index)
            self._set(name, index, FAILED if text in (NO_RESULT, LEFT_OUT) else _kept(text))
        self.version += len(given)

    def _read(self, name: str, index: int, path: Path) -> None:
        """Take a result from its file; without it, as when its stage was forgotten meanwhile, the input stays incomplete."""
        with suppress(FileNotFoundError):
            self._set(name, index, _kept(path.read_text("ascii")))

    def complete(self, index: int, made: Mapping[tuple[int, int], str]) -> bool:
        """Add what a task lacks from what was made here, JSON texts by stage and index; say whether nothing is missing."""
        for name, unknown in self._unknown.items():
            if not unknown:
                continue
            stage, inputs = self._stages[name], self._inputs[name]
            for at in range(*self._range(name, index)):
                if inputs[at] is _UNKNOWN:
                    text = made.get((stage, at))
                    if text is None:
                        return False
                    self._set(name, at, _kept(text))
        return True

    def task(self, index: int, attempt: int, tell: Callable[[Task], None], keeper: Keeper) -> Task:
        """Return a task, with all that it is given as its own to change."""
        inputs = {name: self._share(name, index) for name in self._inputs} if self.needs else {}
        item = self._items.get(index)
        task = Task(index, self.parallelism, attempt, inputs, None if item is None else unpatched.decode(item), tell, keeper)
        if pieces := self._restored.get(index):
            task.restore(partial(states.read, pieces))
        return task

    def digest(self, index: int) -> int:
        """Return the digest of what a task is given of other stages (switchyard.scheduling.inputs)."""
        if self._pointwise:
            return digest((stage, self._handed(name, index)) for name, stage in self._stages.items())
        # All tasks are given the same.
        self._digest = self._digest or digest((stage, self._handed(name, 0)) for name, stage in self._stages.items())
        return self._digest

    def tasks_of(self, index: int) -> dict[str, tuple[int, IndexSet]]:
        """Return the tasks whose results a task is given, by the names of their stages, each with the id of the stage."""
        return {name: (stage, self._handed(name, index)) for name, stage in self._stages.items()}

    def _handed(self, name: str, index: int) -> IndexSet:
        tasks = IndexSet.span(*self._range(name, index))
        without = self._without.get(name)
        return tasks - IndexSet.from_indexes(without) if without else tasks

    def _set(self, name: str, index: int, value: Any) -> None:
        inputs = self._inputs[name]
        self._unknown[name] -= inputs[index] is _UNKNOWN
        inputs[index] = value
        if type(value) is Written:
            self._written.add(name)

    def _share(self, name: str, index: int) -> list[Any]:
        """Return an input without what is left out of it: of a pointwise one, the part that overlaps the task's share."""
        low, high = self._range(name, index)
        given, left_out = self._inputs[name][low:high], self._left_out.get(name)
        if left_out:
            given = [value for at, value in enumerate(given, low) if at not in left_out]
        if name in self._written:
            given = [unpatched.decode(value) if type(value) is Written else value for value in given]
        return given

    def _range(self, name: str, index: int) -> tuple[int, int]:
        """Return which tasks of an input a task is given, as a half-open range."""
        size, parallelism = self._sizes[name], self.parallelism
        if name not in self._pointwise:
            return 0, size
        return overlapping(index, index + 1, parallelism, size)


class PythonStage:
    """A stage whose tasks are calls of one callable."""

    def __init__(self, told: dict[str, Any], data: Path, folder: Path, top: Path, files: Files) -> None:
        self.given = Given(told)
        self.job: str = told["env"]["SWITCHYARD_JOB"]
        self._folder = folder
        # Not that of the module: a task may have patched it.
        self._clock = time.time
        self._told = told
        self._data = data
        self._call: Callable[[Task], Any] | None = None
        self._unloadable: Unloadable | None = None
        self._exchange = Exchange(told, data, top)
        self._own = top / "task"
        self._files = files

    def run(self, task: Task) -> str | Failure:
        """Run one task; return its result as JSON text, or why there is none."""
        if self._exchange.is_empty:
            return self._run(task)
        shared = self._folder
        try:
            self._enter(task)
            self._folder = self._own
            ended = self._run(task)
            if isinstance(ended, str):
                self._exchange.take(task, self._own)
        except BadOutput as error:
            return Failure("user_error", str(error))
        except OSError as error:
            return fault(error, self._data)
        else:
            return ended
        finally:
            self._folder = shared
            self._exchange.end()
            os.chdir(shared)
            handed.remove(self._own)

    def _enter(self, task: Task) -> None:
        """Go into a new folder, with copies of the job's files: what tasks of it have left is not handed on."""
        handed.remove(self._own)
        self._own.mkdir()
        self._files.lay_out(self._own)
        os.chdir(self._own)
        if self._exchange.hands:
            os.environ[VARIABLE] = str(self._exchange.folder)
        self._exchange.begin(task, self.given.tasks_of(task.index), self._own)

    def _run(self, task: Task) -> str | Failure:
        tasks.run(task)
        begun = self._clock()
        try:
            call = self._call or self._load()
            value = call(task)
            return results.encode(coroutines.finish(value) if type(value) is CoroutineType else value)
        except Unloadable as error:
            return Failure("unloadable", str(error))
        except tasks.Canceled:
            return Failure("killed", "ended on request")
        except results.BadResult as error:
            return Failure("user_error", str(error))
        except OSError as error:
            return self._full(error, begun) if self._is_ours(error) else describe(error)
        except SystemExit as error:
            return describe(error) if _exit_code(error) else NOTHING
        except BaseException as error:
            return describe(error)
        finally:
            tasks.run(None)

    def _is_ours(self, error: OSError) -> bool:
        """Say whether a task failed because the agent's own disk is full: its output goes there, and its folder is there."""
        return error.errno in faults.NO_SPACE and faults.no_space_left(self._data)

    def _full(self, error: OSError, begun: float) -> Failure:
        """Return as a failure that the disk is full: that of the task if it has filled the disk, else of the node."""
        filled = faults.filled_by(self._folder, begun - TICK, self._told["disk"], self._data)
        described = describe(error)
        return replace(described, error=f"{described.error.rstrip()}\n{filled}") if filled else fault(error, self._data)

    def _load(self) -> Callable[[Task], Any]:
        """Resolve the callable. A failure is kept: trying again would run half of a module twice."""
        if self._unloadable:
            raise self._unloadable
        try:
            self._call = self._resolve()
        except tasks.Canceled:
            raise
        except BaseException as error:
            name = self._told["python"]
            self._unloadable = Unloadable(f"{name} cannot be loaded: {describe(error).error}")
            raise self._unloadable from None
        return self._call

    def _resolve(self) -> Callable[[Task], Any]:
        module, _, name = self._told["python"].partition(":")
        with tasks.loading():
            function: Any = importlib.import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
        if not callable(function):
            raise TypeError(f"{name} is not callable")
        args, kwargs = self._told["args"], self._told["kwargs"]
        call = _caller(function, each=self._told["foreach"])
        if not any(isinstance(value, list | dict) for value in [*args, *kwargs.values()]):
            return lambda task: call(task, args, kwargs)
        text = unpatched.encode([args, kwargs])
        return lambda task: call(task, *unpatched.decode(text))


def _caller(function: Callable[..., Any], *, each: bool) -> Callable[[Task, list[Any], dict[str, Any]], Any]:
    match _wants_task(function), each:
        case True, False:
            return lambda task, args, kwargs: function(task, *args, **kwargs)
        case True, True:
            return lambda task, args, kwargs: function(task, task.item, *args, **kwargs)
        case False, True:
            return lambda task, args, kwargs: function(task.item, *args, **kwargs)
    return lambda _, args, kwargs: function(*args, **kwargs)


def _kept(text: str) -> Any:
    """Return what is kept of a value until tasks are given it."""
    value = unpatched.decode(text)
    return Written(text) if isinstance(value, list | dict) else value


def describe(error: BaseException) -> Failure:
    """Return an exception as a failure: its classes by name, and where it came from outside of this package."""
    names = tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__[:-1])
    exit_code = _exit_code(error) if isinstance(error, SystemExit) else None
    return Failure("user_error", _text(error, _outside(error.__traceback__)), names, exit_code)


def _exit_code(error: SystemExit) -> int:
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


def prepare(folder: str | None) -> None:
    """Make a worker ready to load what a job brings along into a folder: it comes first, and stays as it is."""
    if folder:
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True
    sys.argv = ["switchyard-task"]
    os.umask(0o022)


def _wants_task(function: Callable[..., Any]) -> bool:
    if inspect.isfunction(function) and not hasattr(function, "__wrapped__"):
        # As the signature would say, for a twentieth of its price.
        code = function.__code__
        return code.co_varnames[: min(1, code.co_argcount)] == ("task",)
    try:
        return next(iter(inspect.signature(function).parameters), None) == "task"
    except (ValueError, TypeError):
        return False
