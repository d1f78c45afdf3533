"""A stack of real processes for one test: web, scheduler workers and agents, on free ports, ended with the test."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from django.db import InterfaceError, OperationalError, connection

from jobs.checks.invariants import Violation, violations
from jobs.models import Job
from launch.stack import WEB
from switchyard.scheduling.lifecycle.states import JOB_ENDS
from switchyard.scheduling.spec import from_data
from tests.jobs.submissions import submit
from tests.nursery import Nursery, Process

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
#: What the servers and agents load that is the same for all settings, the largest parts first.
NURSERY = Nursery(
    "structlog",
    "rest_framework.compat",
    "numpy",
    "psycopg",
    "celery",
    "granian.cli",
    "django.db.backends.postgresql.base",
    "django.core.management",
    "django.core.handlers.wsgi",
    "django.test.client",
    "django_prometheus.middleware",
    "pydantic",
    "graphviz",
    "switchyard.messaging.consumer",
    "switchyard.leader.turns",
    "switchyard.scheduling.plan",
    "switchyard.scheduling.lifecycle.apply_reports",
    "switchyard.scheduling.lifecycle.placing",
)
AGENTS = Nursery("httpx", "structlog", "typer", "switchyard.agent.main")


class Stack:
    """Starts processes and knows them by name."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, credentials: dict[str, str]) -> None:
        self.folder = folder
        self.processes: dict[str, Process] = {}
        self._agents: set[str] = set()
        self.port = free_port()
        self.env = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "DATA_DIR": str(folder),
            "SWITCHYARD_SECRET_KEY": "a key for tests alone, long enough for every check of it",
            "GRANIAN_HOST": "127.0.0.1",
            "GRANIAN_PORT": str(self.port),
        }
        self.credentials = credentials

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, name: str, *argv: str, nursery: Nursery = NURSERY, **env: str) -> Process:
        """Start a process of the stack; its output goes to a file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = nursery.start(argv, self.env | env, log.fileno(), log.fileno(), session=True)
        return self.processes[name]

    def start_servers(self) -> None:
        """Start the web server and a scheduler worker, and wait until the first answers."""
        self.start_scheduler()
        self.start_web()

    def start_web(self) -> None:
        """Start the web server and wait until it answers."""
        self.start("web", *WEB)
        self.until(self._answers, "the web server answers")

    def end_web(self) -> None:
        """End the web server; of one that is killed the process that answers would go on."""
        self._end([self.processes.pop("web")])

    def start_scheduler(self, name: str = "scheduler") -> Process:
        """Start a scheduler worker."""
        return self.start(name, "manage.py", "scheduler")

    def start_agent(self, name: str, slots: int = 2, *more: str) -> Process:
        """Start an agent, whose folder outlives it."""
        self._agents.add(name)
        options = ("--name", name, "--data", str(self.folder / name), "--server", self.url, "--slots", str(slots), *more)
        token = self.credentials["node_token"]
        return self.start(name, "-m", "switchyard.agent", *options, nursery=AGENTS, SWITCHYARD_NODE_TOKEN=token)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a process of the stack a signal."""
        self.processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self.processes.pop(name).wait()

    def submit(self, stages: dict[str, dict[str, Any]], **spec: Any) -> Job:
        """Submit a job of stages given by name."""
        described = [{"name": name, **stage} for name, stage in stages.items()]
        return Job.objects.get(id=submit(from_data({"name": "test", "stages": described, **spec})))

    def wait(self, job: Job, patience: float = PATIENCE) -> Job:
        """Wait until a job has ended."""
        self.until(lambda: Job.objects.get(id=job.id).state in JOB_ENDS, f"job {job.number} ends", patience)
        job.refresh_from_db()
        return job

    def until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait for a condition; fail with the logs when it does not come."""
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"not within {patience} s: {what}\n{self.logs()}")
            time.sleep(0.02)

    def logs(self) -> str:
        """Return the ends of all logs."""
        return "\n".join(f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        """End every process, agents first: their last reports want a leader that confirms them."""
        self._end([process for name, process in self.processes.items() if name in self._agents])
        self._end([process for name, process in self.processes.items() if name not in self._agents])

    def _end(self, processes: list[Process]) -> None:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


class Watch(threading.Thread):
    """Checks the invariants every 100 ms on a connection of its own while faults land."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: list[Violation] = []
        self.rounds = 0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.1):
            try:
                self.found += violations()
                self.rounds += 1
            except (OperationalError, InterfaceError):
                # The database is away, which is what some faults are; anything else is a fault of the checker.
                connection.close()
            except Exception as error:
                self.found.append(Violation("the checker works", repr(error)))
        connection.close()

    def end(self) -> list[Violation]:
        """Stop watching and return what was found."""
        self._ended.set()
        self.join()
        return self.found


def free_port() -> int:
    """Return a port of the loopback that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
