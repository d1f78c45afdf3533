"""The core is imported and runs while files, sockets, clocks and processes are out of reach."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKED = (
    "os", "io", "socket", "time", "threading", "subprocess", "signal", "pathlib", "select", "selectors", "mmap", "fcntl",
    "multiprocessing", "asyncio", "structlog", "httpx", "celery", "redis",
)  # fmt: skip
#: Refuses these modules to the agent's and the scheduler's code, however they are reached; others may have them.
BLOCK = f"""
import builtins, os, time, socket
BLOCKED, OWN, real = {BLOCKED!r}, ("switchyard.agent", "switchyard.scheduling"), builtins.__import__

def guarded(name, globals=None, *rest):
    if name.partition(".")[0] in BLOCKED and (globals or {{}}).get("__name__", "").startswith(OWN):
        raise ImportError(f"{{globals['__name__']}} imports {{name}}")
    return real(name, globals, *rest)

def refuse(*_, **__):
    raise AssertionError("the core does I/O")

builtins.__import__ = guarded
"""
IMPORT = "import switchyard.agent.core.machine, switchyard.agent.core.history\n"
RUN = """
from switchyard.messaging.messages import Command, Launch
from tests.core.memory_node import TimedNode

builtins.open = socket.socket = refuse
os.open = os.read = os.write = os.stat = os.kill = os.pipe = refuse
time.time = time.monotonic = time.monotonic_ns = time.sleep = refuse
node = TimedNode({"cpus": 2000}, 1000.0)
stage = {"name": "s", "job": "j", "parallelism": 100, "inputs": [], "spec": {"python": "m:f"}}
node.command(Command("session", 1, 0, launches=[Launch(1, 1, 0, [[0, 100]], {"cpus": 1000}, [])], stages={1: stage}))
number = 1
while node.now < 1003:
    node.advance(max(node.next_at, node.now + 0.001))
    if node.sent and node.sent[-1][0]["number"] >= number:
        number += 1
        node.command(Command("session", number, node.sent[-1][0]["number"]))
ended = {index for report, _ in node.sent for group in report["finished"] for index in group[2]}
assert ended == set(range(100)), ended
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_core_is_imported_and_runs_without_io() -> None:
    done = python(BLOCK + IMPORT + RUN)
    assert done.returncode == 0, done.stderr


def test_the_block_holds() -> None:
    assert "switchyard.agent.disk.journal imports os" in python(BLOCK + "import switchyard.agent.disk.journal\n").stderr
