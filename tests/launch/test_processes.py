"""Processes: known again beyond doubt, and stopped in order, by force where asking is not enough."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from launch import commands
from launch.commands import Command
from launch.processes import Running, identify, is_alive, is_there, left_by, stop_in_order, wait_until

OBEDIENT = "print('up', flush=True); import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + OBEDIENT


@pytest.fixture
def spawned(tmp_path: Path) -> Iterator["Spawner"]:
    """Start Python one-liners that say `up`, and clear them away after the test."""
    with ExitStack() as stack:
        yield Spawner(tmp_path, stack)


class Spawner:
    """Starts processes; each is listening to signals when `start` returns."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def start(self, name: str, code: str, *, rank: int = 0, grace: float = 20.0) -> Running:
        log = self._folder / f"{name}.log"
        argv = (sys.executable, "-c", code)
        command = Command(name, argv, os.environ, log, self._folder, rank, grace=grace)
        child = commands.spawn(command)
        self._stack.callback(child.wait)
        self._stack.callback(child.kill)
        commands.await_ready(child, lambda: "up" in log.read_text(), command, 20)
        process = commands.running(child, command)
        assert process is not None
        return process


def test_process_is_known_by_its_start_time_and_not_by_its_pid_alone(spawned: Spawner) -> None:
    process = spawned.start("one", OBEDIENT).identity
    assert is_alive(process)
    assert not is_alive(replace(process, started=process.started + 1))
    assert not is_alive(replace(process, boot="another boot"))


def test_another_process_with_a_recorded_pid_is_not_touched(spawned: Spawner) -> None:
    process = spawned.start("one", OBEDIENT)
    older = replace(process, identity=replace(process.identity, started=1))
    stop_in_order([older])
    assert is_alive(process.identity)


def test_remains_of_a_process_do_not_count_as_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert identify(child.pid) is None


def test_highest_rank_stops_first_whatever_the_order_of_starting(spawned: Spawner) -> None:
    said: list[str] = []
    ranks = {"database": 0, "agent-1": 4, "web": 2, "agent-2": 4}
    stop_in_order([spawned.start(name, OBEDIENT, rank=rank) for name, rank in ranks.items()], said.append)
    assert said == ["agent-1 stopped", "agent-2 stopped", "web stopped", "database stopped"]


def test_what_a_killed_process_left_in_its_session_is_there_and_is_killed(spawned: Spawner, tmp_path: Path) -> None:
    child = "import subprocess; child = subprocess.Popen(['sleep', '1000'])"
    note = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))"
    process = spawned.start("web", "; ".join((child, note, OBEDIENT)))
    left = identify(int((tmp_path / "pid").read_text()))
    assert left
    assert left_by(process.identity) == []
    os.kill(process.identity.pid, signal.SIGKILL)
    assert wait_until(lambda: not is_alive(process.identity), 20)
    assert (is_there(process.identity), left_by(process.identity)) == (True, [left])
    said: list[str] = []
    stop_in_order([process], said.append)
    assert (said, is_alive(left), is_there(process.identity)) == (["what web left behind was killed"], False, False)


def test_process_that_ignores_the_request_is_killed_after_its_grace(spawned: Spawner) -> None:
    said: list[str] = []
    process = spawned.start("stubborn", STUBBORN, grace=0.1)
    stop_in_order([process], said.append)
    assert not is_alive(process.identity)
    assert said == ["stubborn was killed: it did not stop when asked"]
