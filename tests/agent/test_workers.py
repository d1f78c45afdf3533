"""The agent's side of a worker: what comes through its pipe in pieces is read whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchyard.agent.processes.workers import PIPE, WorkerProcess
from switchyard.agent.worker.pipes import new_page


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[WorkerProcess, int]]:
    """Give a worker as the agent knows it, and the end of the pipe that it writes to."""
    read, write = os.pipe2(os.O_NONBLOCK)
    yield WorkerProcess(None, 1, ("command",), tmp_path, -1, -1, write, read, new_page(str(tmp_path / "page")), 0), write
    os.close(read)
    os.close(write)


def test_the_rest_of_a_long_line_is_read_when_it_comes(ends: tuple[WorkerProcess, int]) -> None:
    worker, write = ends
    assert os.write(write, b"x" * PIPE) == PIPE
    assert worker.read() == b""
    os.write(write, b"y\n")
    assert not worker.mute
    assert worker.read() == b"x" * PIPE + b"y\n"


def test_a_line_that_comes_in_pieces_is_read_whole(ends: tuple[WorkerProcess, int]) -> None:
    worker, write = ends
    os.write(write, b"x")
    worker.read()
    os.write(write, b"y\nz\npart")
    assert [worker.read(), worker.read()] == [b"xy\nz\n", b""]
