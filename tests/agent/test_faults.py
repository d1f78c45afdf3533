"""What an agent says of a machine that fails it, and that it goes on when the machine is well again."""

import errno
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import faults
from tests.agent.conftest import Agent, Server
from tests.agent.test_full_disk import until_fault, until_fit


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, None, "disk full: "),
        (errno.EDQUOT, None, "quota"),
        (errno.EROFS, None, "folder cannot be written: "),
        (errno.EMFILE, None, "too many open files: "),
        (errno.EAGAIN, None, "no process can be started: "),
        (errno.ENOMEM, None, "no process can be started: "),
        (errno.ENOENT, sys.executable, "interpreter missing: "),
        (errno.EIO, None, "the machine fails: "),
    ],
)
def test_each_error_is_told_for_what_it_is(number: int, file: str | None, said: str, tmp_path: Path) -> None:
    assert said in faults.describe(OSError(number, os.strerror(number), file), tmp_path)


def test_an_agent_that_can_open_no_more_files_goes_on_when_it_can(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent("--slots", "2")
    server.launch(1, command=["true"])
    server.result(1)
    before = resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{agent.process.pid}/fd").iterdir()))
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, (opened + 2, before[1]))
    server.launch(2, 2, python="agent_tasks:square")
    assert "too many open files" in until_fault(server)
    server.until(lambda: len(server.returned()) == 2)
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, before)
    until_fit(server)
    server.launch(3, 2, python="agent_tasks:square")
    assert [server.result(3, index) for index in range(2)] == [0, 1]
    assert agent.process.poll() is None
