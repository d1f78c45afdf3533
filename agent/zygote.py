"""The zygote: a small single-threaded process that forks workers on the agent's request and tells when they end.

It holds what every worker needs imported and nothing else: no Celery, no token, no thread that a fork would lose.
"""

import json
import os
import select
import signal
import socket
import sys

from agent.worker import Pipes, Worker


def main(fd: int) -> None:
    """Serve the agent on this socket until it is closed."""
    agent = socket.socket(fileno=fd)
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([agent, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(agent)
        if agent in ready:
            data, fds, _, _ = socket.recv_fds(agent, 1 << 16, 4)
            if not data:
                return
            _fork(agent, woken, wake, json.loads(data), fds)


def _reap(agent: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        agent.send(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _fork(agent: socket.socket, woken: int, wake: int, wanted: dict[str, object], fds: list[int]) -> None:
    pid = os.fork()
    if pid:
        for fd in fds:
            os.close(fd)
        agent.send(json.dumps({"forked": pid, "worker": wanted["worker"]}).encode())
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd in (agent.detach(), woken, wake):
        os.close(fd)
    Worker(Pipes(*fds)).serve()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
