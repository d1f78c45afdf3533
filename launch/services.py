"""Services: both servers, for the duration of a block or a command.

For development and tests; `make up` keeps them under the supervisor instead.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from launch import account, commands, folders, postgres, redis
from launch.commands import Command
from launch.processes import Running, stop_in_order

READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Services:
    """Where the two running servers answer, and which processes they are."""

    database_url: str
    redis_url: str
    postgres: Running
    redis: Running

    def environment(self) -> dict[str, str]:
        """Name the servers as Django's settings and the agents read them."""
        return {"DATABASE_URL": self.database_url, "REDIS_URL": self.redis_url}


@contextmanager
def running(data: Path, *, durable: bool = True, listen: redis.Listen | None = None) -> Iterator[Services]:
    """Run PostgreSQL and Redis while the block lasts, and not longer, however this process ends."""
    root = folders.data_folder(data, account.borrowed())
    logs = folders.private(root / "logs")
    database = postgres.prepare(root, logs, durable=durable)
    broker = redis.prepare(root, logs, secrets.token_urlsafe(32), listen=listen)
    with ExitStack() as stack:
        stack.callback(postgres.forget_sockets, database)
        stack.callback(redis.forget_socket, broker)
        first = stack.enter_context(_started(database.command))
        second = stack.enter_context(_started(broker.command))
        commands.await_ready(first, lambda: postgres.is_ready(database), database.command, READY_SECONDS)
        commands.await_ready(second, lambda: redis.is_ready(broker), broker.command, READY_SECONDS)
        yield Services(database.url, broker.url, _running(first, database.command), _running(second, broker.command))


def run(data: Path | None, argv: list[str]) -> int:
    """Run a command beside the two servers; without one, print where they answer and wait for the end.

    Without a data folder they use a new one, unsynced, that goes when they go.
    """
    with _data(data) as folder, running(folder, durable=data is not None) as services:
        if argv:
            return subprocess.run(argv, env=os.environ | services.environment(), check=False).returncode
        for name, value in services.environment().items():
            print(f"{name}={value}", flush=True)
        return _wait()


@contextmanager
def temporary_data() -> Iterator[Path]:
    """Give a folder for data that nobody will miss: a short path, for sockets, that anyone may pass."""
    data = Path(tempfile.mkdtemp(prefix="switchyard-", dir="/tmp"))
    data.chmod(0o711)
    try:
        yield data
    finally:
        shutil.rmtree(data, ignore_errors=True)


@contextmanager
def _data(given: Path | None) -> Iterator[Path]:
    if given:
        yield given
        return
    with temporary_data() as made:
        yield made


@contextmanager
def _started(command: Command) -> Iterator[subprocess.Popen[bytes]]:
    child = commands.spawn(command, dies_with_parent=True)
    try:
        yield child
    finally:
        if process := commands.running(child, command):
            stop_in_order([process])
        child.wait()


def _running(child: subprocess.Popen[bytes], command: Command) -> Running:
    process = commands.running(child, command)
    assert process is not None, f"{command.name} was ready a moment ago"
    return process


def _wait() -> int:
    ends = {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    return 1 if signal.sigwait(ends) == signal.SIGCHLD else 0
