"""The simulation runs while files, sockets and clocks are out of reach."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = """
import builtins, os, socket, time, threading
from switchyard.simulation.runs import run

def refuse(*_, **__):
    raise AssertionError("the simulation does I/O")

run(1)  # What is imported late is there now.
builtins.open = socket.socket = os.open = os.read = os.write = os.stat = os.kill = refuse
time.time = time.time_ns = time.monotonic = time.monotonic_ns = time.perf_counter = time.sleep = refuse
threading.Thread.start = refuse
ended = run(4)
assert not ended.broken, ended.broken
assert ended.events >= 200
"""


def test_a_run_needs_no_files_sockets_clocks_and_threads() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
