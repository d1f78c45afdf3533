"""A whole stack of its own for tests of what users see: started as `make up` does, on a free port, and stopped again."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from launch import services
from launch.config import ROOT

START_SECONDS = 180
COMMAND_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that runs: its address, the token of its operator, its folder, and the password of its admin."""

    url: str
    token: str
    data: Path
    password: str

    def switchyard(self, *arguments: str | Path, status: int = 0, stdin: str = "", **env: str) -> str:
        """Run a command as a local user, demand its exit status, and return what it wrote to standard output."""
        done = self.command(*arguments, stdin=stdin, **env)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def command(self, *arguments: str | Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a local user."""
        program = Path(sys.executable).with_name("switchyard")
        return subprocess.run(
            (program, *arguments),
            env=self.environ | env,
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a user of this stack who has no token."""
        return {**_without_servers(), "SWITCHYARD_URL": self.url, "HOME": str(self.data)}


@contextmanager
def running(**given: str) -> Iterator[Running]:
    """Start a stack with one agent of two slots, and settings that are given to it, and stop it."""
    with services.temporary_data() as data:
        port = _free_port()
        env = _without_servers() | {"PORT": str(port), "DATA_DIR": str(data), "AGENTS": "1", "SLOTS": "2", **given}
        try:
            said = _launch("up", env)
            token = json.loads((data / "credentials.json").read_text())["token"]
            [password] = re.findall(r"the user admin has the password (\S+)", said)
            yield Running(f"http://127.0.0.1:{port}", token, data, password)
        finally:
            _launch("down", env)


def _launch(verb: str, env: dict[str, str]) -> str:
    argv = (sys.executable, "-m", "launch", verb)
    done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _without_servers() -> dict[str, str]:
    """The environment, without the servers of this test run."""
    own = ("DATABASE_URL", "REDIS_URL", "DATA_DIR")
    return {name: value for name, value in os.environ.items() if name not in own and not name.startswith("SWITCHYARD")}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
