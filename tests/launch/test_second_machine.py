"""Agents as on other machines: all that they have in common with the stack is two ports, and what they were told."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from launch import services
from launch.config import ROOT
from launch.processes import wait_until
from tests.flows.stack import free_port
from tests.launch.test_up import Stack

pytestmark = pytest.mark.timeout(240)
SECONDS = 60.0
WORDS = """
def count(task, text):
    print("counting", task.index)
    return [len(word) for word in text.split()] * 1000

def total(task):
    print("adding", sum(map(len, task.inputs["count"])))
    return sum(map(sum, task.inputs["count"]))
"""
JOB = {
    "name": "far",
    "stages": [
        {
            "name": "count", "python": "words:count", "args": ["a bc def"], "parallelism": 3,
            "files": {"words.py": WORDS}, "resources": {"left": 1},
        },
        {
            "name": "total", "python": "words:total", "needs": ["count"], "files": {"words.py": WORDS},
            "resources": {"right": 1},
        },
        {
            "name": "tell", "command": 'cat "$SWITCHYARD_INPUTS" note; echo \'{"result": "told"}\' > $SWITCHYARD_REPORT',
            "shell": True, "needs": ["total"], "files": {"note": "noted"}, "resources": {"left": 1},
        },
    ],
}  # fmt: skip


class Cluster:
    """A stack without agents that listens on TCP, seen by its ports and secrets alone."""

    def __init__(self, stack: Stack, redis_port: int) -> None:
        said = stack.run("up", AGENTS="0", SWITCHYARD_LISTEN="127.0.0.1", REDIS_PORT=str(redis_port))
        assert said.returncode == 0, said.stdout + said.stderr
        self.url = stack.config.url
        secrets = json.loads((stack.data / "credentials.json").read_text())
        self.token = secrets["token"]
        self.redis_url = f"redis://127.0.0.1:{redis_port}/0"
        self._agents: list[subprocess.Popen[bytes]] = []

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/api/v1/{path}"
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=SECONDS, **how).raise_for_status()

    def start_agent(self, name: str, folder: Path) -> None:
        """Start an agent in a folder of its own, with a token of its own, by the command that operators use."""
        folder.mkdir()
        token = self.ask("POST", "tokens", json={"name": name, "role": "agent"}).json()["token"]
        program = str(Path(sys.executable).with_name("switchyard"))
        options = ("--name", name, "--data", "data", "--slots", "1", "--resource", f"{name}=1")
        env = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "REDIS_URL": self.redis_url, "SWITCHYARD_NODE_TOKEN": token}
        with (folder / "log").open("wb") as log:
            argv = (program, "--server", self.url, "agent", *options)
            self._agents.append(subprocess.Popen(argv, env=env, cwd=folder, stdout=log, stderr=log))

    def stop_agents(self) -> list[int]:
        """Tell the agents to go; return their exit statuses."""
        for agent in self._agents:
            agent.send_signal(signal.SIGTERM)
        return [agent.wait(timeout=SECONDS) for agent in self._agents]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    port = free_port()
    with services.temporary_data() as data:
        stack = Stack(data, port)
        try:
            cluster = Cluster(stack, next(other for other in iter(free_port, None) if other != port))
            yield cluster
            cluster.stop_agents()
        finally:
            stack.run("down")


def test_a_job_runs_over_agents_that_share_nothing_but_ports(cluster: Cluster, tmp_path: Path) -> None:
    cluster.start_agent("left", tmp_path / "left")
    cluster.start_agent("right", tmp_path / "right")
    job = cluster.ask("POST", "jobs", json=JOB).json()["id"]
    ended = wait_until(lambda: cluster.ask("GET", f"jobs/{job}").json()["state"] in ("FINISHED", "FAILED"), SECONDS)
    logs = [(tmp_path / name / "log").read_text()[-2000:] for name in ("left", "right")]
    assert ended, logs
    tasks = {(t["stage"], t["index"]): t for t in cluster.ask("GET", f"jobs/{job}/tasks").json()["results"]}
    assert {name: {t["node"] for (stage, _), t in tasks.items() if stage == name} for name in ("count", "total", "tell")} == {
        "count": {"left"}, "total": {"right"}, "tell": {"left"},
    }, tasks  # fmt: skip
    assert cluster.ask("GET", f"jobs/{job}/stages/total/results").json()["results"] == [18000]
    assert cluster.ask("GET", f"jobs/{job}/results").json() == {"complete": True, "results": {"tell": ["told"]}}
    assert cluster.stop_agents() == [0, 0]
    told = cluster.ask("GET", f"jobs/{job}/stages/tell/tasks/0/logs/stdout").text
    assert told == '{"total": [18000]}noted'
    assert cluster.ask("GET", f"jobs/{job}/stages/count/tasks/2/logs/stdout").text == "counting 2\n"


def test_nothing_is_open_to_those_who_know_the_ports_alone(cluster: Cluster) -> None:
    assert httpx.get(f"{cluster.url}/api/v1/jobs", trust_env=False).status_code == 401
    with redis.Redis.from_url(cluster.redis_url) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
