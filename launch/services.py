"""Services: both servers together, for as long as a block or a command lasts.

For development and tests; `make up` keeps them under the supervisor instead.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from launch import account, folders, postgres, processes, redis
from launch.processes import Command, Identity

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Services:
    """Where the two running servers answer, and who they are."""

    database_url: str
    redis_url: str
    remote_redis_url: str | None
    postgres: Identity
    redis: Identity

    def environment(self) -> dict[str, str]:
        """Name the servers as Django's settings and the agents read them."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextmanager
def running(data: Path, *, durable: bool = True, listen: redis.Listen | None = None) -> Iterator[Services]:
    """Run PostgreSQL and Redis while the block lasts, and not longer, however this process ends."""
    root = folders.data_folder(data, account.borrowed())
    logs = folders.private(root / "logs")
    database = postgres.prepare(root, logs, durable=durable)
    broker = redis.prepare(root, logs, listen=listen)
    with ExitStack() as stack:
        stack.callback(postgres.forget_sockets, database)
        stack.callback(redis.forget_socket, broker, root)
        first = stack.enter_context(_process(database.command))
        second = stack.enter_context(_process(broker.command))
        processes.await_ready(first, lambda: postgres.is_ready(database), database.command, READY_SECONDS)
        processes.await_ready(second, lambda: redis.is_ready(broker), broker.command, READY_SECONDS)
        yield Services(database.url, broker.url, broker.remote_url, _identity(first), _identity(second))


def run(data: Path, argv: list[str]) -> int:
    """Run a command beside the two servers; without one, print where they answer and wait for the end."""
    with running(data) as services:
        if argv:
            return subprocess.run(argv, env=os.environ | services.environment(), check=False).returncode
        for name, value in services.environment().items():
            print(f"{name}={value}", flush=True)
        return _wait()


@contextmanager
def _process(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    child = processes.spawn(command, dies_with_parent=True)
    try:
        yield child
    finally:
        processes.end_child(child, command)


def _identity(child: subprocess.Popen[bytes]) -> Identity:
    found = processes.identify(child.pid)
    assert found is not None
    return found


def _wait() -> int:
    ends = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    return 1 if signal.sigwait(ends) == signal.SIGCHLD else 0
