"""The zygote: a small single-threaded process that forks workers on request and reports their ends.

It holds what every worker needs imported and nothing else: no Celery, no token, no thread that a fork would lose. Its
guardian (switchyard.agent.processes.guardian) ends it and all that it started when the agent is gone.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path

from switchyard.agent.worker.loop import Ends, Worker, become

FDS = 6
PR_SET_PDEATHSIG = 1


def main(fd: int) -> None:
    """Serve the agent on this socket until it is closed."""
    agent = socket.socket(fileno=fd)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Without its guardian nothing would end what it starts; the agent sees this end and clears its workers.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # What is here stays: workers need neither look for garbage in it nor copy its pages for that.
    gc.freeze()
    while True:
        ready, _, _ = select.select([fd, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(agent)
        if fd in ready:
            data, fds, _, _ = socket.recv_fds(agent, 1 << 16, FDS, socket.MSG_CMSG_CLOEXEC)
            if not data:
                return
            _fork(agent, (woken, wake), json.loads(data), fds)


def _reap(agent: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        agent.send(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _fork(agent: socket.socket, pipe: tuple[int, int], wanted: dict[str, object], fds: list[int]) -> None:
    try:
        pid = os.fork()
    except OSError as error:
        pid = -1
        agent.send(json.dumps({"failed": wanted["worker"], "error": [error.errno, error.strerror]}).encode())
    if pid:
        for fd in fds:
            os.close(fd)
    if pid > 0:
        agent.send(json.dumps({"forked": pid, "worker": wanted["worker"]}).encode())
    if pid:
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd in (agent.detach(), *pipe):
        os.close(fd)
    ends, setup = Ends(*fds), json.loads(Path(str(wanted["setup"])).read_bytes())
    status = 1
    try:
        become(ends, setup)
        Worker(ends, setup).serve()
        status = 0
    except BaseException:
        # The agent tells the last line of it with the end of the task, and all of it is in the task's log.
        os.write(ends.stderr, traceback.format_exc().encode(errors="backslashreplace"))
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
