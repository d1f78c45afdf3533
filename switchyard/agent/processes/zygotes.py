"""The agent's side of zygotes, each below a guardian of its own, and the start of workers.

There is one for each interpreter, and one more for each time that jobs wait for silent nodes: a guardian has one deadline.
"""

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from switchyard.agent.core.workers import Key
from switchyard.agent.processes.cgroups import Groups
from switchyard.agent.processes.guardian import DEADLINE
from switchyard.agent.processes.workers import WorkerProcess
from switchyard.agent.worker.built import within
from switchyard.agent.worker.pipes import new_page

PATH = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"])
#: What every task finds in its environment, beside what its stage says.
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8"}
PIPE = 1 << 20
SETUP = "setup.json"


class Zygote:
    """A zygote and its guardian; both end when this process does."""

    def __init__(
        self, folder: Path, interpreter: str, patience: float, keep: int | None = None, groups: Groups | None = None
    ) -> None:
        self._folder = folder
        self.interpreter = interpreter
        self.patience = patience
        self.forked = False
        self._groups = groups
        self._deadline = 0.0
        zygote = [interpreter or sys.executable, "-m", "switchyard.agent.processes.zygote"]
        with ExitStack() as undo:
            self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            undo.callback(self.socket.close)
            with theirs:
                pipe, self._pipe = os.pipe2(os.O_CLOEXEC)
                undo.callback(os.close, self._pipe)
                with os.fdopen(pipe, "rb", 0):
                    told = [str(pipe), str(theirs.fileno()), groups.prefix if groups else ""]
                    self._guardian = subprocess.Popen(
                        [sys.executable, "-m", "switchyard.agent.processes.guardian", *told, *zygote],
                        pass_fds=[pipe, theirs.fileno(), *([keep] if keep is not None else [])],
                        env=ENVIRONMENT | {"PYTHONPATH": _import_path(interpreter)},
                        stdin=subprocess.DEVNULL,
                        start_new_session=True,
                    )
            undo.pop_all()

    def start(self, number: int, key: Key, env: Mapping[str, str], files: str | None, home: str = "") -> WorkerProcess:
        """Ask for a worker; it takes tasks at once and begins when it is there."""
        folder = self._folder / "workers" / str(number)
        group = self._groups.make(self._guardian.pid, number) if self._groups else None
        cwd = str(folder / "cwd")
        told: dict[str, Any] = {"folder": str(folder), "cwd": cwd, "files": files}
        told["env"] = within({**ENVIRONMENT, "HOME": cwd, **env}, home)
        told["group"] = str(group.folder) if group else None
        opened: list[int] = []
        try:
            worker, theirs = self._prepare(number, key, folder, told, opened)
        except OSError:
            for fd in opened:
                os.close(fd)
            shutil.rmtree(folder, ignore_errors=True)
            if self._groups and group:
                self._groups.remove(group)
            raise
        worker.group = group
        # If the zygote is gone, the end of its socket tells, and what the worker was handed goes elsewhere.
        with suppress(OSError):
            socket.send_fds(self.socket, [json.dumps({"worker": number, "setup": str(folder / SETUP)}).encode()], theirs)
        for fd in theirs:
            os.close(fd)
        return worker

    def _prepare(
        self, number: int, key: Key, folder: Path, told: dict[str, Any], opened: list[int]
    ) -> tuple[WorkerProcess, list[int]]:
        """Make a worker's folder and open its ends, each noted in `opened`; return the worker and the ends that it gets."""
        (folder / "cwd").mkdir(parents=True)
        (folder / SETUP).write_text(json.dumps(told))
        for _ in range(3):
            opened += os.pipe2(os.O_CLOEXEC)
        items_read, items_write, stages_read, stages_write, results_read, results_write = opened
        opened += [new_page(str(folder / "page"))]
        opened += [_output(folder / "stdout")]
        opened += [_output(folder / "stderr")]
        theirs = [items_read, stages_read, results_write, *opened[6:]]
        # A description of its own of the pipe's end, so that taking back never waits while the worker's reading does.
        unclaimed = os.open(f"/proc/self/fd/{items_read}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        opened += [unclaimed]
        with suppress(PermissionError):  # The pipes of all processes of a user have a limit together.
            fcntl.fcntl(stages_write, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(results_read, False)
        page = opened[6]
        worker = WorkerProcess(
            self, number, key, folder, items_write, unclaimed, stages_write, results_read, page, self.patience
        )
        return worker, theirs

    def extend(self, deadline: float) -> None:
        """Tell the guardian until when (CLOCK_BOOTTIME) to wait for the next word, if that is news."""
        if deadline == self._deadline:
            return
        self._deadline = deadline
        with suppress(BrokenPipeError):
            os.write(self._pipe, DEADLINE.pack(deadline))

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what the zygote told: workers forked and ended; at last {"gone": true}."""
        while True:
            try:
                data = self.socket.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                yield {"gone": True}
                return
            event = json.loads(data)
            self.forked = self.forked or "forked" in event
            yield event

    def close(self) -> None:
        """Let the guardian end all that is left, and wait for it."""
        os.close(self._pipe)
        self.socket.close()
        self._guardian.wait()


def unstartable(interpreter: str) -> str:
    """Return why an interpreter that a stage names does not run here."""
    found = shutil.which(interpreter, path=PATH)
    return f"{interpreter} cannot be started as an interpreter" if found else f"the interpreter {interpreter} is missing"


def _output(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _import_path(interpreter: str) -> str:
    """Return where a zygote finds the agent's code; another interpreter gets none of this one's packages."""
    if interpreter:
        return import_path()
    return os.pathsep.join(filter(None, sys.path))


def import_path() -> str:
    """Return where any Python finds the agent's code."""
    return str(Path(__file__).parents[3])
