"""Run a Python stage in a worker: resolve the callable once and call it for each task."""

import importlib
import inspect
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import CoroutineType
from typing import Any

from switchyard import task as tasks
from switchyard.agent.machine import faults
from switchyard.agent.worker import coroutines, handed, results, unpatched
from switchyard.agent.worker.exchange import VARIABLE, Exchange
from switchyard.agent.worker.failures import Failure, describe, exit_code_of, fault
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.given import Given
from switchyard.agent.worker.outputs import BadOutput
from switchyard.task import Task

NOTHING = "null"
#: Seconds by which the times of files lag behind the clock.
TICK = 0.02


class Unloadable(Exception):
    """The callable cannot be loaded."""


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
            return describe(error) if exit_code_of(error) else NOTHING
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
