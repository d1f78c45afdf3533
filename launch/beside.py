"""Run a command such as manage.py or pg_dump with the environment of a stack, whether it runs or not.

A command that is given another DATA_DIR than the database's would take the logs and results there for its own.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launch import account, credentials, folders, postgres, record, services, stack
from launch.config import Config
from launch.errors import LaunchError
from launch.processes import is_alive
from launch.stack import Setting

SERVERS = ("scheduler", "web")
GIVEN = ("DATA_DIR", "DATABASE_URL", "REDIS_URL")
PREFIX = "SWITCHYARD_"


def run(config: Config, argv: list[str]) -> int:
    """Run a command and give its exit status. The database's own programs come first on its PATH."""
    if not (config.data / credentials.FILE).exists():
        raise LaunchError(f"There is no installation in {config.data}: make up makes one there.")
    data = folders.data_folder(config.data, account.borrowed())
    with _given(config, data) as given:
        path = os.environ.get("PATH", os.defpath)
        if not config.database_url:
            path = f"{postgres.programs(data)}{os.pathsep}{path}"
        return subprocess.run(argv, env=os.environ | given | {"PATH": path}, check=False).returncode


@contextmanager
def _given(config: Config, data: Path) -> Iterator[dict[str, str]]:
    """Say what the servers are given; if none runs, PostgreSQL and Redis do meanwhile, and no stack is started."""
    run = folders.private(data / "run")
    held = record.lock(run)
    if held is None:
        yield _of_servers(run)
        return
    try:
        with services.running(data) as started:
            known = credentials.load(data)
            database_url = config.database_url or started.database_url
            redis_url = config.redis_url or started.redis_url
            yield stack.environment(Setting(config, data, database_url, redis_url, known))
    finally:
        os.close(held)


def _of_servers(run: Path) -> dict[str, str]:
    """Read what a server of the running stack was started with."""
    known = record.read(run)
    for each in known.processes if known else ():
        if each.name in SERVERS and is_alive(each.identity):
            lines = Path(f"/proc/{each.identity.pid}/environ").read_bytes().decode(errors="surrogateescape").split("\0")
            told = dict(line.split("=", 1) for line in lines if "=" in line)
            return {name: value for name, value in told.items() if name in GIVEN or name.startswith(PREFIX)}
    raise LaunchError("The stack is being started or stopped; try again.")
