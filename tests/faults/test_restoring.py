"""An older copy of the database is put back under running agents: all work ends, nothing runs twice at once.

What was done since the copy is forgotten by the server and known to the agents, under numbers that it gives again.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from jobs.checks.invariants import violations
from jobs.models import Job, Stage
from nodes import reading
from nodes.models import Event, NodeResource
from switchyard.scheduling.lifecycle.states import JobState
from tests.flows.stack import Stack

pytestmark = pytest.mark.faults
TASKS = 10


class Copies:
    """Copies the database as a whole, while nothing uses it, and puts the copy back."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        url = urlsplit(stack.env["DATABASE_URL"])
        self._name = url.path.lstrip("/")
        self._copy = f"{self._name}_copy"
        self._server = url._replace(path="/postgres").geturl()

    def make(self) -> None:
        """Copy it."""
        self._alone(f'CREATE DATABASE "{self._copy}" TEMPLATE "{self._name}"')

    def put_back(self) -> None:
        """Let the copy be the database."""
        self._alone(f'DROP DATABASE "{self._name}"', f'CREATE DATABASE "{self._name}" TEMPLATE "{self._copy}"')

    def drop(self) -> None:
        """Remove the copy."""
        self._run(f'DROP DATABASE IF EXISTS "{self._copy}"')

    def _alone(self, *statements: str) -> None:
        for name in ("web", "scheduler"):
            # The web server's workers with it.
            process = self._stack.processes.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        connection.close()
        self._run(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{self._name}'", *statements
        )

    def _run(self, *statements: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as server:
            for statement in statements:
                server.execute(statement)


@pytest.fixture
def copies(stack: Stack) -> Iterator[Copies]:
    """Give the copies of the database of a stack with two agents."""
    for name in ("left", "right"):
        stack.start_agent(name)
    made = Copies(stack)
    yield made
    made.drop()


@pytest.mark.parametrize("said", [True, False])
def test_all_ends_after_an_older_copy_is_put_back(stack: Stack, copies: Copies, marks: Path, said: bool) -> None:
    kept = submitted(stack, marks / "kept", seconds=2.0)
    stack.until(lambda: ends(marks / "kept") >= 2, "work is under way")
    copies.make()
    stack.start_servers()
    stack.until(lambda: ends(marks / "kept") >= 6, "work goes on after the copy")
    forgotten = submitted(stack, marks / "forgotten", seconds=20.0)
    stack.until(lambda: begun(marks / "forgotten") >= 2, "what is forgotten has begun")
    number, stage = forgotten.number, Stage.objects.get(job=forgotten).id
    copies.put_back()
    if said:
        call_command("restored")
    stack.start_servers()
    new = submitted(stack, marks / "new", seconds=0.1)
    assert new.number == number
    assert Stage.objects.get(job=new).id != stage, "files and messages of the forgotten one would be taken for its own"
    for job in (kept, new):
        assert stack.wait(job, patience=150).state == JobState.FINISHED, stack.logs()
    assert ends(marks / "new") >= TASKS
    assert list(marks.rglob("overlap-*")) == []
    stack.until(lambda: not running(marks / "forgotten"), "nothing runs that nobody knows of")
    stack.until(settled, "both nodes are ready and hold nothing")
    assert violations() == []
    assert Event.objects.filter(kind="node_refused", text__contains="restored").count() == 2


def submitted(stack: Stack, folder: Path, seconds: float) -> Job:
    folder.mkdir(exist_ok=True)
    work = {"python": "tests.faults.work:interval", "parallelism": TASKS, "args": [str(folder), seconds]}
    return stack.submit({"work": work}, retry={"attempts": 3, "backoff": {"initial": 0}})


def begun(folder: Path) -> int:
    return _lines(folder, "begin")


def ends(folder: Path) -> int:
    return _lines(folder, "end")


def running(folder: Path) -> list[str]:
    """Return the tasks that hold their locks."""
    held = []
    for path in folder.glob("*.lock"):
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path.stem)
    return held


def settled() -> bool:
    nodes = reading.completed(list(reading.nodes()))
    return [node["state"] for node in nodes] == ["READY"] * 2 and not NodeResource.objects.filter(held__gt=0).exists()


def _lines(folder: Path, word: str) -> int:
    log = folder / "intervals"
    return sum(line.startswith(word) for line in log.read_text().splitlines()) if log.exists() else 0
