"""Processes that begin as forks of a parent that has loaded what they need: each is a real one, an interpreter start cheaper.

A nursery runs `python -m tests.nursery MODULE...`, loads the modules, and forks on request. It ends with its test process.
"""

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from switchyard import plain

ROOT = Path(__file__).parents[1]
NUMBER = struct.Struct("q")
REQUEST_BYTES = 1 << 20
#: What servers and agents load so.
LOADED_PLAINLY = ("httpx", "structlog", "rest_framework.compat")
#: What an interpreter or a loader reads at its start: with these a process must begin as one of its own.
READ_AT_START = ("PYTHON", "LD_", "MALLOC_")


class Child:
    """A process of a nursery, as subprocess.Popen has it."""

    def __init__(self, argv: Sequence[str], told: socket.socket) -> None:
        self.args = argv
        self._told = told
        self.returncode: int | None = None
        [self.pid] = NUMBER.unpack(told.recv(NUMBER.size))

    def poll(self) -> int | None:
        """Return the status of a process that has ended."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._note()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the status."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._note()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(signal.SIGKILL)

    def _note(self) -> None:
        told = self._told.recv(NUMBER.size)
        assert told, "the nursery has ended"
        [self.returncode] = NUMBER.unpack(told)
        self._told.close()


Process = subprocess.Popen[bytes] | Child


class Nursery:
    """Starts processes, from a parent that is there at the first of them."""

    def __init__(self, *modules: str, path: Sequence[str] = ()) -> None:
        self._modules = modules
        #: Django's settings are of each process: what loads them is not loaded before.
        self._env = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        if path:
            self._env["PYTHONPATH"] = os.pathsep.join(path)
        self._parent: socket.socket | None = None

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], output: int, errors: int, *, session: bool = False
    ) -> Process:
        """Start `python argv...` in the folder of the project, with this environment alone."""
        if any(name.startswith(READ_AT_START) and self._env.get(name) != value for name, value in env.items()):
            whole = [sys.executable, *argv]
            return subprocess.Popen(whole, cwd=ROOT, env=env, stdout=output, stderr=errors, start_new_session=session)
        told, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"argv": list(argv), "env": dict(env), "session": session}).encode()
        with theirs:
            socket.send_fds(self._begun(), [request], [theirs.fileno(), output, errors])
        return Child(argv, told)

    def _begun(self) -> socket.socket:
        if self._parent is None:
            self._parent, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            argv = [sys.executable, "-m", "tests.nursery", str(theirs.fileno()), *self._modules]
            with theirs:
                process = subprocess.Popen(
                    argv, cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            atexit.register(process.wait)
            atexit.register(self._parent.close)
        return self._parent


def main(asked: socket.socket, modules: Sequence[str]) -> None:
    """Fork on request until the test process is gone."""
    plain.load(*[each for each in modules if each in LOADED_PLAINLY])
    for each in modules:
        import_module(each)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    children: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([asked.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(children)
        if asked.fileno() in ready:
            request, fds, _, _ = socket.recv_fds(asked, REQUEST_BYTES, 3)
            if not request:
                return
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                for inherited in (asked, *children.values()):
                    inherited.close()
                for fd in (woken, wake):
                    os.close(fd)
                _become(json.loads(request), *fds)
            children[pid] = socket.socket(fileno=fds[0])
            with suppress(OSError):
                children[pid].send(NUMBER.pack(pid))
            for fd in fds[1:]:
                os.close(fd)


def _reap(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with children.pop(pid) as told, suppress(OSError):
            told.send(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become(wanted: dict[str, Any], told: int, output: int, errors: int) -> None:
    """Be what was asked for until its end, as an interpreter does."""
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.default_int_handler)
    if wanted["session"]:
        os.setsid()
    os.dup2(output, 1)
    os.dup2(errors, 2)
    for fd in {told, output, errors} - {1, 2}:
        os.close(fd)
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    status = 1
    try:
        _run(wanted["argv"])
        status = 0
    except SystemExit as end:
        status = _status(end.code)
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # what an interpreter does at its end, in its order
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _run(argv: list[str]) -> None:
    sys.orig_argv = [sys.executable, *argv]
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        sys.path[0] = str(Path(argv[0]).resolve().parent)
        runpy.run_path(argv[0], run_name="__main__")


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
