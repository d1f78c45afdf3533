"""The supervisor: what ends is started again, together with nothing that the ended one left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch.processes import identify, is_alive, wait_until

# Each start of the worker appends its pid, and that of a child which would outlive it.
WORKER = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "60"])
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
time.sleep(60)
"""
SUPERVISE = """
import os, signal, sys
from pathlib import Path
from launch.commands import Command
from launch.supervisor import Supervisor
folder = Path(sys.argv[1])
supervisor = Supervisor(lambda running: None, lambda line: print(line, flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
argv = (sys.executable, folder / "worker.py", folder / "pids")
supervisor.start(Command("worker", argv, os.environ, folder / "log", folder, 0))
try:
    supervisor.watch(lambda: False)
finally:
    supervisor.stop()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a supervisor of one worker, whose starts are written to `pids`."""
    (tmp_path / "worker.py").write_text(WORKER)
    argv = [sys.executable, "-c", SUPERVISE, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.terminate()


@pytest.mark.usefixtures("supervisor")
def test_killed_process_starts_again_without_what_the_first_left(tmp_path: Path) -> None:
    worker, child = started(tmp_path, 1)
    left = identify(child)
    os.kill(worker, signal.SIGKILL)
    second, _ = started(tmp_path, 2)
    assert second != worker
    assert left is not None
    assert not is_alive(left)


def test_each_end_doubles_the_delay(supervisor: subprocess.Popen[str], tmp_path: Path) -> None:
    assert supervisor.stdout is not None
    for start, delay in enumerate(("0.5", "1", "2"), start=1):
        os.kill(started(tmp_path, start)[0], signal.SIGKILL)
        assert supervisor.stdout.readline() == f"worker ended with status -9, starts again in {delay} s\n"


def test_told_to_stop_it_stops_what_it_started(supervisor: subprocess.Popen[str], tmp_path: Path) -> None:
    worker, child = map(identify, started(tmp_path, 1))
    assert worker is not None
    assert child is not None
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not is_alive(worker)
    assert not is_alive(child)


def started(folder: Path, times: int) -> tuple[int, int]:
    """Wait for the worker's n-th start; give its pid and its child's."""
    pids = folder / "pids"
    assert wait_until(lambda: pids.exists() and pids.read_text().count("\n") >= times, 20)
    worker, child = pids.read_text().splitlines()[times - 1].split()
    return int(worker), int(child)
