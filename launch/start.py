"""Start: bring one stack up, step by step, and keep it up. This is the process that `make up` leaves behind.

What it prints goes to the terminal of `make up` until the line READY, and to its log from then on.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from launch import account, commands, credentials, folders, postgres, record, redis, stack, web
from launch.commands import Command
from launch.config import ROOT, Config
from launch.credentials import Credentials
from launch.errors import LaunchError
from launch.processes import Running, identify
from launch.stack import Setting
from launch.supervisor import Supervisor
from launch.terminal import say

READY = "ready"
SERVICE_SECONDS = 60.0
SETUP_SECONDS = 300.0
WEB_SECONDS = 60.0
LOOK_SECONDS = 0.05
# Asked to stop, it stops all others first.
SUPERVISOR_GRACE = 150.0
SUPERVISOR_RANK = 5


def supervise(config: Config) -> NoReturn:
    """Start the stack, say READY, keep it running, and stop it when asked to by SIGTERM."""
    data = folders.data_folder(config.data, account.borrowed())
    run = folders.private(data / "run")
    if record.lock(run) is None:
        raise LaunchError(f"A stack is already running in {data}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervisor = Supervisor(lambda running: record.write(run, _record(config, running)), say)
    record.write(run, _record(config, []))
    try:
        _bring_up(config, data, supervisor)
        _leave_terminal(folders.private(data / "logs") / "supervisor.log")
        supervisor.watch(lambda: False)
        raise AssertionError("a stack is watched until a signal ends the watch")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.stop()
        record.forget(run)


def _bring_up(config: Config, data: Path, supervisor: Supervisor) -> None:
    known = credentials.load(data)
    logs = folders.private(data / "logs")
    database_url = config.database_url or _start_postgres(data, logs, supervisor)
    redis_url = config.redis_url or _start_redis(config, known, data, logs, supervisor)
    setting = Setting(config, data, database_url, redis_url, known)
    _bootstrap(setting)
    for command in stack.processes(setting):
        supervisor.start(command)
    _await_web(config, logs, supervisor)
    _greet(config, data)


def _start_postgres(data: Path, logs: Path, supervisor: Supervisor) -> str:
    server = postgres.prepare(data, logs)
    _say_where(server, data)
    _start_service(server.command, lambda: postgres.is_ready(server), supervisor)
    return server.url


def _start_redis(config: Config, known: Credentials, data: Path, logs: Path, supervisor: Supervisor) -> str:
    listen = redis.Listen(config.listen, config.redis_port) if config.listen else None
    server = redis.prepare(data, logs, known.redis_password, listen=listen)
    _start_service(server.command, lambda: redis.is_ready(server), supervisor)
    return server.url


def _start_service(command: Command, ready: Callable[[], bool], supervisor: Supervisor) -> None:
    say(f"starting {command.name} ({command.argv[0]})")
    commands.await_ready(supervisor.start(command), ready, command, SERVICE_SECONDS)


def _say_where(server: postgres.Postgres, data: Path) -> None:
    if server.command.runs_as:
        say(f"PostgreSQL does not run as root: it runs as the user {server.command.runs_as.name}")
    if not server.home.is_relative_to(data):
        say(f"which cannot enter {data}: its data is in {server.home}")


def _bootstrap(setting: Setting) -> None:
    known = setting.credentials
    made = json.loads(_manage(setting, stack.BOOTSTRAP))
    if made["admin_password"]:
        # Said at once: the database keeps only its digest, and what is still to come may fail.
        say(f"the user admin has the password {made['admin_password']} (shown this once)")
    known.token = made["token"] or known.token
    known.node_token = made["node_token"] or known.node_token
    credentials.save(setting.data, known)
    if not known.node_token:
        raise LaunchError(
            f"{setting.data / credentials.FILE} lacks the token of this machine's nodes, and the database "
            "keeps only its digest. Put the file back, or make new tokens: manage.py bootstrap --renew."
        )


def _manage(setting: Setting, argv: tuple[str, ...]) -> str:
    done = subprocess.run(
        (sys.executable, *argv),
        env=stack.environment(setting),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SETUP_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        sentence = done.stderr.strip().removeprefix("manage.py: ")
        told = sentence if "\n" not in sentence else f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}"
        raise LaunchError(told)
    return done.stdout


def _await_web(config: Config, logs: Path, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + WEB_SECONDS
    supervisor.watch(lambda: web.is_ready(config.url) or time.monotonic() > deadline, look_every=LOOK_SECONDS)
    if not web.is_ready(config.url):
        shown = "\n".join(f"--- {log.name}\n{commands.tail(log)}" for log in sorted(logs.glob("*.log")))
        raise LaunchError(f"{config.url}/readyz did not say ready within {WEB_SECONDS:.0f} s.\n{shown}")


def _greet(config: Config, data: Path) -> None:
    say(f"Switchyard runs at {config.url}/ui/")
    say(f"  API     {config.url}/api/v1/")
    say(f"  admin   {config.url}/admin/")
    say(f"  token   in {data / credentials.FILE}")
    say(f"  logs    {data / 'logs'}")
    if opened := stack.opened(config, os.environ):
        say(f"Requests that you send from this machine need no login: their role is {opened} (SWITCHYARD_OPEN_ON_LOOPBACK).")


def _leave_terminal(log: Path) -> None:
    say(READY)
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def _record(config: Config, running: list[Running]) -> record.Record:
    identity = identify(os.getpid())
    assert identity is not None, "a running process finds itself"
    own = Running("supervisor", SUPERVISOR_RANK, identity, signal.SIGTERM, SUPERVISOR_GRACE)
    return record.Record(config.url, own, tuple(running))
