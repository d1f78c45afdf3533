"""Commanding: a command stage in a worker. It runs one command at a time and listens to it until all of it has ended.

Each attempt gets an empty folder of its own, with links to the job's files, and a session of its own. What it leaves
behind ends with it: the worker is a subreaper, so whatever a command started is its child in the end.
"""

import errno
import json
import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from select import POLLIN, poll
from typing import Any

from agent import results
from agent.calling import Failure, Given
from agent.channel import Channel
from agent.trees import children, transferred
from agent.wire import Page
from switchyard.task import Task

CHUNK = 1 << 16
#: Bytes of an item's JSON that go into the environment; more goes into the file alone.
ITEM_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pipe:
    """The two ends of a command's output, and the file of the worker that it ends up in."""

    read: int
    write: int
    file: int


class CommandStage:
    """A stage whose tasks are runs of one command."""

    def __init__(self, told: dict[str, Any], *, folder: Path, page: Page, output: tuple[int, int]) -> None:
        self.given = Given(told)
        self._told = told
        self._folder = folder
        self._page = page
        self._output = output
        self._channel = Channel(folder / "report")
        self._env = {**os.environ, **told["env"], "SWITCHYARD_REPORT": str(folder / "report")}

    def run(self, task: Task) -> str | Failure:
        """Run the command once; return its result as JSON text, or why there is none."""
        cwd = self._folder / f"{self._told['id']}-{task.index}-{task.attempt}"
        cwd.mkdir()
        try:
            os.chdir(cwd)
            lay_out(self._told["files"], cwd)
            self._channel.open(task)
            status = self._spawn(task, cwd)
        except OSError as error:
            return _not_started(self._told["argv"][0], error)
        else:
            return self._outcome(status, self._told["argv"][0])
        finally:
            os.chdir(self._folder)
            _remove(cwd)

    def _spawn(self, task: Task, cwd: Path) -> int:
        """Run the command; return its exit status when it and all that it started have ended."""
        pipes = [_pipe(file) for file in self._output]
        try:
            pid = self._start(self._environment(task, cwd), [pipe.write for pipe in pipes])
            self._page.set_group(pid)
            self._listen(pid, pipes)
            self._page.set_group(0)
            _account(task, pid)
            status = end_rest(pid)
            for pipe in pipes:
                _drain(pipe)
            return status
        finally:
            for pipe in pipes:
                os.close(pipe.read)

    def _start(self, env: dict[str, str], output: list[int]) -> int:
        """Start the command in a session of its own; this process keeps no end of its output for writing."""
        argv = self._told["argv"]
        try:
            program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=env["PATH"])
            if program is None:
                raise FileNotFoundError(errno.ENOENT, "no such program")
            return os.posix_spawn(
                program,
                argv,
                env,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    *((os.POSIX_SPAWN_DUP2, write, fd) for fd, write in enumerate(output, 1)),
                ],
                setsid=True,
                setsigdef=[signal.SIGTERM, signal.SIGINT, signal.SIGPIPE],
            )
        finally:
            for write in output:
                os.close(write)

    def _listen(self, pid: int, pipes: list[Pipe]) -> None:
        """Keep what the command writes until it has exited; it is not reaped yet, so its id stays its own."""
        process = os.pidfd_open(pid)
        readers = {pipe.read: pipe for pipe in pipes}
        waiting = poll()
        for fd in (process, self._channel.fd, *readers):
            waiting.register(fd, POLLIN)
        try:
            while True:
                ready = [fd for fd, _ in waiting.poll()]
                for fd in ready:
                    if fd in readers and not _copy(readers[fd]):
                        waiting.unregister(fd)
                    elif fd == self._channel.fd:
                        self._channel.read()
                if process in ready:
                    return
        finally:
            os.close(process)

    def _outcome(self, status: int, program: str) -> str | Failure:
        result, garbage = self._channel.close()
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return Failure("killed", f"{program} was ended by {signal.Signals(-code).name}", exit_code=code)
        if code:
            return Failure("user_error", f"{program} exited with {code}", exit_code=code)
        if garbage:
            return Failure("user_error", garbage, exit_code=code)
        try:
            return results.encode(result)
        except results.BadResult as error:
            return Failure("user_error", str(error), exit_code=code)

    def _environment(self, task: Task, cwd: Path) -> dict[str, str]:
        env = self._env | {
            "SWITCHYARD_TASK_INDEX": str(task.index),
            "SWITCHYARD_ATTEMPT": str(task.attempt),
            "PWD": str(cwd),
        }
        if task.inputs:
            env["SWITCHYARD_INPUTS"] = str(self._write(f"{cwd.name}.inputs", task.inputs))
        if self._told["foreach"]:
            env["SWITCHYARD_ITEM_FILE"] = str(self._write(f"{cwd.name}.item", task.item))
            text = json.dumps(task.item)
            if len(text) <= ITEM_LIMIT:
                env["SWITCHYARD_ITEM"] = text
        return env

    def _write(self, name: str, value: Any) -> Path:
        path = self._folder / name
        path.write_text(json.dumps(value, default=lambda _: None))
        return path


def lay_out(files: str | None, folder: Path) -> None:
    """Link what a job brings along into the folder that its tasks run in."""
    for entry in os.scandir(files) if files else ():
        link = folder / entry.name
        if not link.is_symlink():
            link.symlink_to(entry.path)


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
    while _any_left():
        for child in children(os.getpid()):
            os.kill(child, signal.SIGKILL)
        os.waitpid(-1, 0)
    return status


def _any_left() -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _pipe(file: int) -> Pipe:
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    return Pipe(read, write, file)


def _copy(pipe: Pipe) -> bool:
    """Copy once what a command wrote; say whether there may be more."""
    try:
        data = os.read(pipe.read, CHUNK)
    except BlockingIOError:
        return True
    rest = data
    while rest:
        rest = rest[os.write(pipe.file, rest) :]
    return bool(data)


def _drain(pipe: Pipe) -> None:
    while _copy(pipe):
        pass


def _remove(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
    for suffix in (".inputs", ".item"):
        folder.with_name(folder.name + suffix).unlink(missing_ok=True)


def _not_started(program: str, error: OSError) -> Failure:
    code = 127 if isinstance(error, FileNotFoundError) else 126
    return Failure("user_error", f"cannot run {program}: {error.strerror}", exit_code=code)
