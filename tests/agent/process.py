"""A real agent process of a test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests.nursery import Nursery, Process

if TYPE_CHECKING:
    from tests.agent.server import Server

SECONDS = 40.0
STDOUT = 1
ROOT = Path(__file__).parents[2]
PATH = (str(ROOT), str(Path(__file__).parent))
NURSERY = Nursery("httpx", "structlog", "typer", "switchyard.agent.main", path=PATH)


class Agent:
    """An agent process."""

    def __init__(
        self,
        server: "Server",
        data: Path,
        *options: str,
        env: dict[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self.data = data
        self._stderr = data.with_name(f"{data.name}.stderr{len(server.agents)}")
        server.agents.append(self)
        with self._stderr.open("w") as stderr:
            self.process = self._begin(server, options, env or {}, python, stderr)

    def _begin(
        self, server: "Server", options: Sequence[str], env: dict[str, str], python: Sequence[str], stderr: IO[str]
    ) -> Process:
        argv = ["-m", "switchyard.agent", "--server", server.url, "--name", "node", "--data", str(self.data), *options]
        whole = {
            **{name: os.environ[name] for name in ("PATH",)},
            "PYTHONPATH": os.pathsep.join(PATH),
            "REDIS_URL": server.redis_url,
            "SECRET_OF_THE_AGENT": "hidden",
            **env,
        }
        if python == (sys.executable,):
            return NURSERY.start(argv, whole, STDOUT, stderr.fileno())
        return subprocess.Popen([*python, *argv], cwd=ROOT, env=whole, stderr=stderr)

    def kill(self) -> None:
        """Kill the agent alone, at once."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = SECONDS) -> str:
        """Ask the agent to go; return what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = SECONDS) -> str:
        """Wait until the agent has ended; return what it wrote to standard error."""
        self.process.wait(timeout)
        return self._said()

    def story(self) -> str:
        """Return whether the agent lives, and the end of what it wrote to standard error."""
        status = self.process.poll()
        state = "runs" if status is None else f"ended with status {status}"
        return f"agent {self.process.pid} {state}:\n{self._said()[-5000:]}"

    def _said(self) -> str:
        return self._stderr.read_text()


def wait_until(condition: Callable[[], Any], timeout: float = SECONDS) -> Any:
    """Return what a condition returns as soon as it holds: for what no event tells, such as files and processes."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return value
