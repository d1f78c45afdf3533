"""Run a command stage in a worker: one command at a time, until all its processes have ended.

Each attempt finds an empty folder with copies of the job's files (worker.workplace), and has a session of its own.
What it leaves behind ends with it: the worker is a subreaper, so whatever a command started is its child in the end.
"""

import errno
import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from switchyard.agent.machine import faults
from switchyard.agent.processes.trees import end_children, signal_name, transferred
from switchyard.agent.worker import failures, results, states
from switchyard.agent.worker.built import within
from switchyard.agent.worker.exchange import VARIABLE, Exchange
from switchyard.agent.worker.failures import Failure
from switchyard.agent.worker.files import Files
from switchyard.agent.worker.given import Given
from switchyard.agent.worker.outputs import BadOutput
from switchyard.agent.worker.workplace import Workplace
from switchyard.task import Task

#: Bytes of an item's JSON that go into the environment; more goes into the file alone.
ITEM_LIMIT = 64 * 1024
#: The file that a command goes on from, in the folder of states.
RESTORED = "restored"
SIGNALS = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class NotStarted(Exception):
    """A command cannot be started, for a reason of its own."""

    def __init__(self, error: str, exit_code: int) -> None:
        super().__init__(error)
        self.exit_code = exit_code


class CommandStage:
    """A stage whose tasks are runs of one command."""

    def __init__(self, told: dict[str, Any], place: Workplace, data: Path) -> None:
        self.given = Given(told)
        self.job = ""
        self._told = told
        self._files = Files(told["files"])
        self._place = place
        self._data = data
        self._exchange = Exchange(told, data, place.folder)
        env = within({**os.environ, **told["env"]}, told.get("environment", ""))
        self._env = {**env, "SWITCHYARD_REPORT": str(place.channel.path)}

    def run(self, task: Task) -> str | Failure:
        """Run the command once; return its result as JSON text, or why there is none."""
        try:
            self._place.enter(self._files)
            self._exchange.begin(task, self.given.tasks_of(task.index), self._place.cwd)
            self._place.channel.open(task)
            pid = self._start(self._environment(task))
            status = self._attend(task, pid)
        except OSError as error:
            return self._fault(error)
        except NotStarted as error:
            return Failure("user_error", str(error), exit_code=error.exit_code)
        else:
            return self._outcome(task, os.waitstatus_to_exitcode(status))
        finally:
            self._exchange.end()
            self._place.leave()

    def _attend(self, task: Task, pid: int) -> int:
        """Listen to a command; return its exit status. It and all that it started have ended then, whatever fails here."""
        try:
            self._place.listen(pid)
            _account(task, pid)
        except BaseException:
            end_rest(pid)
            self._place.discard()
            raise
        status = end_rest(pid)
        self._place.drain()
        return status

    def _start(self, env: dict[str, str]) -> int:
        """Start the command in a session of its own."""
        argv = self._told["argv"]
        program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=env["PATH"])
        if program is None:
            raise NotStarted(f"cannot run {argv[0]}: no such program", 127)
        try:
            return os.posix_spawn(
                program,
                argv,
                env,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    *((os.POSIX_SPAWN_DUP2, write, fd) for fd, write in enumerate(self._place.outputs, 1)),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=SIGNALS,
            )
        except OSError as error:
            if error.errno in faults.OF_MACHINE:
                raise
            raise _not_started(program, error) from None

    def _outcome(self, task: Task, code: int) -> str | Failure:
        result, garbage = self._place.channel.close()
        if code > 0 and faults.no_space_left(self._data):
            return self._fault(OSError(errno.ENOSPC, "no space"), exit_code=code)
        if code:
            return self._failed(code)
        if garbage:
            return Failure("user_error", garbage, exit_code=code)
        try:
            self._exchange.take(task, self._place.cwd)
            return results.encode(result)
        except (BadOutput, results.BadResult) as error:
            return Failure("user_error", str(error), exit_code=code)
        except OSError as error:
            return self._fault(error, exit_code=code)

    def _fault(self, error: OSError, exit_code: int | None = None) -> Failure:
        """Return as a failure that the machine failed: that of the command if it has filled the disk, else of the node."""
        full = error.errno in faults.NO_SPACE
        filled = full and faults.filled_by(self._place.cwd, 0.0, self._told["disk"], self._data)
        if filled:
            return Failure("user_error", f"{self._told['argv'][0]} failed: {filled}", exit_code=exit_code)
        return failures.fault(error, self._data, exit_code=exit_code)

    def _failed(self, code: int) -> Failure:
        program = self._told["argv"][0]
        said = f"was ended by {signal_name(-code)}" if code < 0 else f"exited with {code}"
        last = self._place.last_line()
        error = f"{program} {said}: {last}" if last else f"{program} {said}"
        return Failure("killed" if code < 0 else "user_error", error, exit_code=code)

    def _environment(self, task: Task) -> dict[str, str]:
        place = self._place
        env = self._env | {
            "SWITCHYARD_TASK_INDEX": str(task.index),
            "SWITCHYARD_ATTEMPT": str(task.attempt),
            "SWITCHYARD_STATE": str(place.states),
            "PWD": str(place.cwd),
            "HOME": self._told["env"].get("HOME", str(place.cwd)),
        }
        states.lay_out(task, place.states / RESTORED)
        if self._exchange.hands:
            env[VARIABLE] = str(self._exchange.folder)
        if task.inputs:
            env["SWITCHYARD_INPUTS"] = place.write("inputs", _json(task.inputs))
        if task.config:
            env["SWITCHYARD_CONFIG"] = place.write("config", _json(task.config))
        if self._told["foreach"]:
            text = _json(task.item)
            env["SWITCHYARD_ITEM_FILE"] = place.write("item", text)
            if len(text) <= ITEM_LIMIT:
                env["SWITCHYARD_ITEM"] = text
        return env


def _account(task: Task, pid: int) -> None:
    """Note what a command read and wrote, unless it told that itself."""
    told = transferred(pid)
    if told is not None:
        task.metrics = {"read_bytes": told[0], "write_bytes": told[1]} | (task.metrics or {})


def end_rest(pid: int) -> int:
    """End everything that an exited command left behind; return its own wait status."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    end_children()
    return status


def _json(value: Any) -> str:
    return json.dumps(value, default=lambda _: None)


def _not_started(program: str, error: OSError) -> NotStarted:
    if isinstance(error, FileNotFoundError):
        return NotStarted(f"cannot run {program}: {_missing(program) or error.strerror}", 127)
    return NotStarted(f"cannot run {program}: {error.strerror}", 126)


def _missing(program: str) -> str:
    """Return what is missing of a program that is there itself."""
    try:
        with Path(program).open("rb") as file:
            first = file.readline(256)
    except OSError:
        return ""
    if not first.startswith(b"#!"):
        return "the loader that it needs is missing"
    return f"its interpreter {first[2:].split()[0].decode(errors='backslashreplace')} is missing" if first[2:].split() else ""
