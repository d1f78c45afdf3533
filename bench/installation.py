"""An installation for one run: web, scheduler and agents as real processes on a fresh copy of the database.

The processes and what they are given are those of `make up` (launch.stack). They are stopped by their own pids.
"""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import psutil
import psycopg
import redis

from bench import host
from bench.host import Host
from launch import commands, folders, stack, web
from launch.commands import Command
from launch.config import LOOPBACK, Config
from launch.credentials import Credentials
from launch.errors import LaunchError
from launch.processes import stop_in_order, wait_until
from launch.stack import Setting

READY_SECONDS = 60.0
#: Environment by the name of the process that it is for.
Given = Mapping[str, Mapping[str, str]]
_runs = count(1)


@dataclass(frozen=True, slots=True)
class Installation:
    """What a workload needs of it: where it answers, how to be let in, which processes it is."""

    config: Config
    database_url: str
    redis_url: str
    credentials: Credentials
    logs: Path
    database_log: Path
    started: dict[str, psutil.Process]
    broker: psutil.Process

    def trees(self, *names: str) -> list[psutil.Process]:
        """Return the named processes and all their descendants; without names those of all, and the broker."""
        roots = [self.started[name] for name in names] or [*self.started.values(), self.broker]
        return [process for root in roots for process in (root, *root.children(recursive=True))]


@contextmanager
def installed(on: Host, *, agents: int, slots: int, given: Given | None = None) -> Iterator[Installation]:
    """Run an installation while the block lasts; `given` is more environment for single processes, by name."""
    data = folders.private(on.data / f"run-{next(_runs)}")
    config = host.config(data, _free_port(), agents, slots)
    logs = folders.private(config.data / "logs")
    _empty_broker(on.services.redis_url)
    setting = Setting(config, config.data, on.copy_database(), on.services.redis_url, on.credentials)
    made = Installation(
        config,
        setting.database_url,
        setting.redis_url,
        setting.credentials,
        logs,
        on.data / "logs" / "postgres.log",
        {},
        psutil.Process(on.services.redis.identity.pid),
    )
    children: list[tuple[subprocess.Popen[bytes], Command]] = []
    try:
        first, scheduler, *others = (_given(command, given or {}) for command in stack.processes(setting))
        for command in (scheduler, first):
            _start(command, made, children)
        _await(lambda: web.is_ready(config.url), "the web is not ready")
        for command in others:
            _start(command, made, children)
        _await(lambda: _registered(setting.database_url) == agents, "not all agents registered")
        yield made
    except Exception:
        print(_tails(logs), file=sys.stderr)
        raise
    finally:
        _stop(children)


def _given(command: Command, given: Given) -> Command:
    return replace(command, env={**command.env, **given.get(command.name, {})})


def _start(command: Command, made: Installation, children: list[tuple[subprocess.Popen[bytes], Command]]) -> None:
    child = commands.spawn(command, dies_with_parent=True)
    children.append((child, command))
    made.started[command.name] = psutil.Process(child.pid)


def _stop(children: list[tuple[subprocess.Popen[bytes], Command]]) -> None:
    """Stop the processes as `make down` does, and what they may have left behind."""
    families = [process for child, _ in children for process in _descendants(child.pid)]
    stop_in_order(running for child, command in children if (running := commands.running(child, command)))
    for child, _ in children:
        child.wait()
    for left in families:
        if left.is_running():
            left.kill()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _await(ready: Callable[[], bool], late: str) -> None:
    if not wait_until(ready, READY_SECONDS):
        raise LaunchError(f"{late} within {READY_SECONDS:.0f} s.")


def _tails(logs: Path) -> str:
    """Return the last lines of what each process said; their files go with the run."""
    return "\n".join(f"--- {log.name}\n{commands.tail(log)}" for log in sorted(logs.glob("*.log")))


def _registered(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM nodes_node WHERE session <> ''").fetchone()
    return int(row[0]) if row else 0


def _empty_broker(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.flushall()


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
    return port
