"""The database crashes and comes back with work in flight: the work goes on, and every invariant holds afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from launch import account, commands, folders, postgres, services
from launch.processes import is_alive
from tests.flows.stack import ROOT, Stack

pytestmark = pytest.mark.faults
COUNT = 60


def test_work_goes_on_after_the_database_crashed(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    with services.temporary_data() as data, services.running(data, durable=True) as running:
        stack = _stack(tmp_path, running)
        try:
            _run(stack, running, data, marks)
        finally:
            stack.stop()


def _run(stack: Stack, running: services.Services, data: Path, marks: Path) -> None:
    stack.start_servers()
    stack.start_agent("only")
    work = {"name": "work", "python": "tests.faults.work:interval", "parallelism": COUNT, "args": [str(marks), 0.1]}
    job = _api(stack, "POST", "/api/v1/jobs", json={"name": "test", "stages": [work]})
    log = marks / "intervals"
    stack.until(lambda: log.exists() and log.read_text().count("begin") > 4, "work is in flight")
    os.kill(running.postgres.identity.pid, signal.SIGQUIT)
    stack.until(lambda: not is_alive(running.postgres.identity), "the database is down")
    with _restarted(data):
        stack.until(lambda: _state(stack, job["id"]) == "FINISHED", "the job ends")
        fsck = subprocess.run(
            [sys.executable, "manage.py", "fsck"], cwd=ROOT, env=stack.env, capture_output=True, check=False
        )
        assert fsck.returncode == 0, fsck.stderr.decode()
        stack.stop()
    assert log.read_text().count("begin") == COUNT


def _stack(folder: Path, running: services.Services) -> Stack:
    env = os.environ | running.environment() | {"SWITCHYARD_SECRET_KEY": "x" * 50, "DATA_DIR": str(folder)}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=env, check=True)
    made = subprocess.run(
        [sys.executable, "manage.py", "bootstrap", "--json"], cwd=ROOT, env=env, capture_output=True, check=True
    )
    return Stack(folder, running.database_url, running.redis_url, json.loads(made.stdout))


@contextmanager
def _restarted(data: Path) -> Iterator[None]:
    root = folders.data_folder(data, account.borrowed())
    server = postgres.prepare(root, folders.private(root / "logs"), durable=True)
    child = commands.spawn(server.command, dies_with_parent=True)
    try:
        commands.await_ready(child, lambda: postgres.is_ready(server), server.command, 30)
        yield
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()


def _state(stack: Stack, job: str) -> str | None:
    try:
        return str(_api(stack, "GET", f"/api/v1/jobs/{job}")["state"])
    except httpx.HTTPError:
        time.sleep(0.1)
        return None


def _api(stack: Stack, method: str, path: str, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {stack.credentials['token']}"}
    answer = httpx.request(method, stack.url + path, headers=headers, trust_env=False, timeout=60, **more)
    decoded: dict[str, Any] = answer.raise_for_status().json()
    return decoded
