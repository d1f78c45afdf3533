"""Large files pass through the web server and agents in pieces: neither ever holds much of them."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jobs.models import Stage, Task
from nodes import services
from switchyard.messaging.messages import IDENTITY
from switchyard.scheduling.lifecycle.states import JobState, TaskState
from tests.flows.stack import Stack

MIB = 1024 * 1024
LARGE = 200
BLOCK = b"x" * MIB
#: MiB by which a process may grow.
BOUND = 30
WORK = """
def give(size):
    return "x" * size

def measure(task):
    return [len(text) for text in task.inputs["large"]]
"""


class Watched:
    """Measures by how many MiB processes have grown at the most."""

    def __init__(self, pid: int, *, children: bool) -> None:
        first = psutil.Process(pid)
        self._before = {}
        for process in [first, *(first.children(recursive=True) if children else ())]:
            # The peak begins anew with what is resident now.
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")
            self._before[process.pid] = peak(process.pid)

    def grown(self) -> float:
        return max(peak(pid) - before for pid, before in self._before.items())


def peak(pid: int) -> float:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def text(size: int) -> Iterator[bytes]:
    """Yield a JSON text of so many MiB and two bytes."""
    yield b'"'
    yield from (BLOCK for _ in range(size))
    yield b'"'


def digest_of(pieces: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


@pytest.fixture
def web(idle: Stack) -> Stack:
    """Give a stack whose web server takes large artifacts."""
    idle.env["SWITCHYARD_LARGEST_ARTIFACT"] = str((LARGE + 1) * MIB)
    idle.start_web()
    return idle


def test_an_agent_holds_little_of_what_tasks_give_and_get(web: Stack) -> None:
    web.start_scheduler()
    web.start_agent("n1", slots=1)

    def run(tasks: int, mib: int) -> list[int]:
        large = {"python": "work:give", "args": [mib * MIB], "parallelism": tasks}
        stages: dict[str, dict[str, Any]] = {"large": large, "sizes": {"python": "work:measure", "needs": ["large"]}}
        job = web.submit({name: {**stage, "files": {"work.py": WORK}} for name, stage in stages.items()})
        assert web.wait(job).state == JobState.FINISHED, web.logs()
        sizes: list[int] = Task.objects.get(stage__job=job, stage__name="sizes").result
        return sizes

    assert run(1, 1) == [MIB]
    agent, server = (Watched(web.processes[name].pid, children=name == "web") for name in ("n1", "web"))
    assert run(4, 50) == [50 * MIB] * 4
    assert (agent.grown() < BOUND, server.grown() < BOUND) == (True, True), (agent.grown(), server.grown())


def test_the_web_server_holds_little_of_what_it_stores_and_gives(web: Stack) -> None:
    node, _ = services.register("by-hand", totals={"cpus": 1000}, labels={}, pool="default", info={}, secret="s" * 43)
    agent = {"Authorization": f"Token {web.credentials['node_token']}", IDENTITY: f"{node.id} {'s' * 43}"}
    person = {"Authorization": f"Token {web.credentials['token']}"}
    job = web.submit({"a": {"command": ["true"]}, "b": {"command": ["true"], "needs": ["a"]}})
    results = f"{web.url}/api/v1/jobs/{job.number}/stages/a"

    def pass_through(size: int) -> None:
        digest, length = digest_of(text(size)), size * MIB + 2
        path = f"{web.url}/api/v1/agent/artifacts/{digest}"
        for status in (201, 200):
            sent = client.put(path, content=text(size), headers=agent | {"Content-Length": str(length)})
            assert sent.status_code == status
        Task.objects.filter(stage=stage).update(state=TaskState.FINISHED, result_digest=digest)
        for path, more in (
            (f"{results}/tasks/0/result", 0),
            (f"{results}/results", len('{"complete": false, "results": []}')),
        ):
            with client.stream("GET", path, headers=person) as answer:
                assert sum(map(len, answer.iter_raw())) == length + more

    stage = Stage.objects.get(job=job, name="a").id
    with httpx.Client(trust_env=False, timeout=120) as client:
        pass_through(1)
        watched = Watched(web.processes["web"].pid, children=True)
        pass_through(LARGE)
        assert watched.grown() < BOUND
