"""A site: one installation with agents behind gates, for faults to land on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import redis

from launch import account, commands, folders, postgres
from launch import redis as broker
from tests.campaign.clock import fake_clock
from tests.campaign.gate import Gate

if TYPE_CHECKING:
    from tests.flows.stack import Stack


class Site:
    """PostgreSQL, Redis, web, scheduler and agents as processes of their own."""

    def __init__(self, data: Path, clock: Path | None) -> None:
        root = folders.data_folder(data, account.borrowed())
        logs = folders.private(root / "logs")
        self._postgres = postgres.prepare(root, logs)
        self._redis = broker.prepare(root, logs, "the password of a campaign")
        self.clock = clock
        self.database_url, self.redis_url = self._postgres.url, self._redis.url
        self.socket = self._redis.socket
        self.start_database()
        self.redis = commands.spawn(self._redis.command, dies_with_parent=True)
        commands.await_ready(self.redis, lambda: broker.is_ready(self._redis), self._redis.command, 60)
        self.folder = data / "stack"
        self.folder.mkdir(exist_ok=True)
        self.gates: dict[str, list[Gate]] = {}
        self.stack: Stack

    def start_database(self, **settings: str) -> None:
        """Start PostgreSQL, with the campaign's clock if there is one."""
        command = self._postgres.command
        argv = (*command.argv, *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")))
        env = dict(command.env) | fake_clock(self.clock)
        self.database = commands.spawn(replaced(command, argv=argv, env=env), dies_with_parent=True)
        commands.await_ready(self.database, lambda: postgres.is_ready(self._postgres), command, 60)

    def kill_database(self, number: int) -> None:
        """Send PostgreSQL a signal and wait for its end; KILL reaches every process of it, as losing power does."""
        members = [psutil.Process(self.database.pid), *psutil.Process(self.database.pid).children(recursive=True)]
        for member in members if number == signal.SIGKILL else members[:1]:
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)
        self.database.wait()
        psutil.wait_procs(members, timeout=10)

    @contextmanager
    def database_frozen(self) -> Iterator[None]:
        """Stop every process of PostgreSQL meanwhile."""
        members = [psutil.Process(self.database.pid), *psutil.Process(self.database.pid).children(recursive=True)]
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.suspend()
        yield
        for member in members:
            with suppress(psutil.NoSuchProcess):
                member.resume()

    def start(self, stack: "Stack", agents: int) -> None:
        """Start web, scheduler and agents, each agent behind gates of its own."""
        self.stack = stack
        self.stack.start_servers()
        for number in range(agents):
            name = f"agent{number}"
            self.gates[name] = [Gate(self.stack.port), Gate(self.socket)]
            self.start_agent(name)

    def start_agent(self, name: str, folder: Path | None = None, alias: str = "") -> None:
        """Start an agent on its data folder, or as another process on a copy of it."""
        web, queue = self.gates[name]
        data = folder or self.folder / name
        options = ("--name", name, "--data", str(data), "--server", f"http://127.0.0.1:{web.port}", "--slots", "1")
        token = self.stack.credentials["node_token"]
        url = f"redis://127.0.0.1:{queue.port}/0"
        self.stack.start(alias or name, "-m", "switchyard.agent", *options, SWITCHYARD_NODE_TOKEN=token, REDIS_URL=url)

    def client(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis.from_url(self.redis_url)

    def stop(self) -> None:
        """End everything."""
        self.stack.stop()
        for gates in self.gates.values():
            for gate in gates:
                gate.close()
        for server, number in ((self.redis, signal.SIGTERM), (self.database, signal.SIGINT)):
            server.send_signal(number)
            server.wait()


def replaced(command: commands.Command, *, argv: tuple[str, ...], env: dict[str, str]) -> commands.Command:
    """Return a command with other arguments and another environment."""
    names = ("name", "log", "cwd", "rank", "runs_as", "stop_signal", "grace")
    return commands.Command(argv=argv, env=env, **{name: getattr(command, name) for name in names})


def migrate(environment: dict[str, str]) -> dict[str, str]:
    """Make the tables and the first credentials; return these."""
    env = {**os.environ, **environment}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], env=env, check=True)
    made = subprocess.run([sys.executable, "manage.py", "bootstrap", "--json"], env=env, capture_output=True, check=True)
    credentials: dict[str, str] = json.loads(made.stdout)
    return credentials
