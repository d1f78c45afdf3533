"""What an agent says of a machine that fails it, and that it goes on when the machine is well again."""

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from switchyard.agent.machine import faults
from switchyard.agent.machine.fitness import STANDS
from switchyard.agent.processes.zygotes import PIPE
from tests.agent.process import Agent
from tests.agent.server import Server
from tests.agent.test_full_disk import until_fault, until_fit

#: Processes and threads that a user may have; an agent has some twenty.
PROCESSES = 80
#: Bytes that the pipes of one user may have together (man 7 pipe, pipe-user-pages-soft).
PIPES = Path("/proc/sys/fs/pipe-user-pages-soft")


@pytest.fixture
def somebody() -> list[str]:
    """Give what runs a program as a user that nobody else is, who may read this Python and write the data folder."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    user = str(100_000 + os.getpid())
    return ["setpriv", "--reuid", user, "--inh-caps", "-all,+dac_override", "--ambient-caps", "+dac_override"]


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


def test_workers_that_end_before_they_begin_keep_a_node_out_ever_longer(agent: Agent, server: Server) -> None:
    stood = []
    for stage in (1, 2):
        begun = time.monotonic()
        server.launch(stage, python="agent_tasks:square", env={"NAME": "a\0b"})
        assert until_fault(server) == "workers end before they begin a task: ValueError: embedded null byte"
        server.until(lambda stage=stage: (stage, 0, 0) in server.returned())  # type: ignore[misc]
        until_fit(server)
        stood.append(time.monotonic() - begun)
    assert stood[1] >= 2 * STANDS
    assert not server.ends()


def test_a_machine_that_starts_no_more_processes_runs_nothing_until_it_does(
    start_agent: Callable[..., Agent], server: Server, somebody: list[str]
) -> None:
    start_agent(python=["prlimit", f"--nproc={PROCESSES}", *somebody, sys.executable])
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    threads = f"[threading.Thread(target=threading.Event().wait, daemon=True).start() for _ in range({PROCESSES})]"
    with held([*somebody, sys.executable], f"import threading\n{threads}"):
        server.files[2] = {"data.txt": "text"}
        server.launch(2, command="cat data.txt", files_digest="d")
        assert until_fault(server).startswith("no process can be started: ")
        server.until(lambda: (2, 0, 0) in server.returned())
    until_fit(server)
    server.launch(3, command="echo well")
    assert server.end(3)["outcome"] == "FINISHED"
    assert not [end for end in server.others() if end["stage"] == 2]


def test_a_user_whose_pipes_are_too_many_runs_tasks_all_the_same(
    start_agent: Callable[..., Agent], server: Server, somebody: list[str]
) -> None:
    count = int(PIPES.read_text()) * resource.getpagesize() // PIPE
    pipes = f"for _ in range({count}): fcntl.fcntl(os.pipe()[1], fcntl.F_SETPIPE_SZ, {PIPE})"
    with held([*somebody, sys.executable], f"import fcntl, os\n{pipes}"):
        start_agent(python=[*somebody, sys.executable])
        server.launch(1, 100, python="agent_tasks:add", args=[40], kwargs={"right": 2})
        server.launch(2, python="builtins:len", args=["x" * 20_000])
        assert server.result(1, 99) == 42
        assert server.result(2) == 20_000


def test_a_data_folder_that_becomes_read_only_is_told(
    start_agent: Callable[..., Agent], server: Server, read_only: Callable[[bool], None], tmp_path: Path
) -> None:
    start_agent(data=tmp_path / "data" / "agent")
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    read_only(True)
    server.launch(2, 2, command="true")
    assert until_fault(server).startswith(f"folder cannot be written: {tmp_path}/data/agent: Read-only file system")
    server.until(lambda: len(server.returned()) == 2)
    read_only(False)
    until_fit(server)
    server.launch(3, command="echo well")
    assert server.end(3)["outcome"] == "FINISHED"


def test_an_agent_whose_python_is_removed_says_so(start_agent: Callable[..., Agent], server: Server, tmp_path: Path) -> None:
    link, packages = tmp_path / "python", os.pathsep.join(filter(None, sys.path))
    link.symlink_to(sys.executable)
    start_agent(python=[str(link)], env={"PYTHONPATH": packages})
    link.unlink()
    server.launch(1, command="true")
    assert until_fault(server) == f"interpreter missing: {link}, which runs this agent"
    server.until(lambda: (1, 0, 0) in server.returned())
    link.symlink_to(sys.executable)
    until_fit(server)
    server.launch(2, command="echo well")
    assert server.end(2)["outcome"] == "FINISHED"


@contextmanager
def held(python: list[str], code: str) -> Iterator[None]:
    """Hold what some code takes, in a process of its own."""
    holder = subprocess.Popen(
        [*python, "-c", f"{code}\nprint(flush=True)\ninput()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline()
        yield
        holder.kill()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[bool], None]]:
    """Give a function that makes a folder read-only, and its own again, for all that open something in it from then on."""
    folder = tmp_path / "data"
    folder.mkdir()

    def mount(*options: str) -> bool:
        return not subprocess.run(["mount", *options, folder], capture_output=True, check=False).returncode

    def put(yes: bool) -> None:
        # Over the folder, not in its place: what is open for writing there would keep it as it is.
        if not yes:
            subprocess.run(["umount", "--lazy", folder], check=True)
        elif not (mount("--bind", str(folder)) and mount("-o", "remount,bind,ro")):
            pytest.skip("nothing can be mounted here")

    yield put
    while subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False).returncode == 0:
        pass
