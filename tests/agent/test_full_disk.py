"""An agent whose disk is full says so, runs nothing meanwhile, charges no task with it, and goes on when there is space."""

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from switchyard.agent.machine.faults import space
from tests.agent.process import SECONDS, Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, alive, running

Start = Callable[..., Agent]
MB = 1 << 20
SIZE = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Fill the disk but for some bytes; return the file that does."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        while _write(file):
            pass
    os.truncate(path, path.stat().st_size - leave)
    return path


def _write(file: BinaryIO) -> int:
    """Write some more; return how much was written."""
    try:
        return file.write(bytes(MB))
    except OSError:
        return 0


def fault(server: Server) -> str:
    """Wait for the next heartbeat, and return the fault that it tells."""
    found = server.client.brpop(["heartbeats"], timeout=SECONDS)
    assert found
    body = json.loads(base64.b64decode(json.loads(found[1])["body"]))
    told: str = json.loads(body[0][0])["figures"].get("fault", "")
    return told


def until_fault(server: Server) -> str:
    told: str = wait_until(lambda: fault(server))
    return told


def until_fit(server: Server) -> None:
    wait_until(lambda: not fault(server))


def test_a_command_whose_output_fills_the_disk_has_ended_when_that_is_told(
    start_agent: Start, server: Server, disk: Path, tmp_path: Path
) -> None:
    start_agent(data=disk / "agent")
    pids = tmp_path / "pids"
    command = f"setsid sleep 1000 & echo $! $$ > {pids}; head -c 40000000 /dev/zero; sleep 1000"
    server.launch(1, command=command)
    end = server.end(1)
    assert [alive(int(pid)) for pid in pids.read_text().split()] == [False, False]
    assert (end["class"], end["outcome"]) == ("lost", "FAILED")
    # The middle of its output may be freed already.
    assert re.search(rf"disk full: \d+ of {SIZE} MB free in {disk}", end["error"])
    assert "disk full" in until_fault(server)
    until_fit(server)
    server.launch(2, command="echo well")
    assert server.end(2)["outcome"] == "FINISHED"


@pytest.mark.parametrize("end", ["exit 3", "sleep 1000", "echo no >&2; sleep 1000"])
def test_a_command_that_fills_the_disk_with_its_own_files_fails_for_that(
    start_agent: Start, server: Server, disk: Path, end: str
) -> None:
    start_agent(data=disk / "agent")
    server.launch(1, command=f"head -c 40000000 /dev/zero > big; {end}")
    told = server.end(1)
    assert told["class"] == "user_error"
    assert re.search(r"the task filled the disk: its folder held 2[34] of 24 MB, and it asked for none", told["error"])
    wait_until(lambda: space(disk)[0] > (SIZE - 2) * MB)
    server.launch(2, command="echo well")
    server.until(lambda: server.have_ended(2))
    assert server.end(2)["outcome"] == "FINISHED"


def test_a_function_that_fills_the_disk_with_its_own_files_fails_for_that(
    start_agent: Start, server: Server, disk: Path
) -> None:
    start_agent(data=disk / "agent")
    server.launch(1, python="agent_tasks:fill", args=[40 * MB])
    told = server.end(1)
    assert (told["class"], told["exceptions"][0]) == ("user_error", "builtins.OSError")
    assert "the task filled the disk: its folder held 2" in told["error"]
    assert "No space left on device" in told["error"]
    wait_until(lambda: space(disk)[0] > (SIZE - 2) * MB)
    server.launch(2, python="agent_tasks:square")
    server.until(lambda: server.have_ended(2))
    assert server.result(2) == 0


@pytest.mark.parametrize(("asked", "ends"), [(4, "user_error"), (8, "lost")])
def test_a_task_is_blamed_for_what_it_did_not_ask_for(
    start_agent: Start, server: Server, disk: Path, tmp_path: Path, asked: int, ends: str
) -> None:
    start_agent(data=disk / "agent")
    waits = f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    command = f"head -c 6000000 /dev/zero > some; {waits}; {{ echo more > file; }} 2> /dev/null || exit 9"
    server.launch(1, command=command, resources={"disk": asked})
    wait_until((tmp_path / "begun").exists)
    fill(disk)
    (tmp_path / "go").touch()
    told = server.end(1)
    assert (told["class"], told["exit_code"]) == (ends, 9)
    assert ("its folder held 5 of 24 MB, and it asked for 4 MB" in told["error"]) == (ends == "user_error")


def test_a_result_that_does_not_fit_leaves_nothing_behind(start_agent: Start, server: Server, disk: Path) -> None:
    agent = start_agent(data=disk / "agent")
    server.launch(1, python="agent_tasks:large", args=[30 * MB])
    end = server.end(1)
    assert end["class"] == "lost"
    assert "disk full" in end["error"]
    assert end["error"].endswith("; a result of 30 MB does not fit")
    assert not list((agent.data / "results").iterdir())
    assert server.returned() == set()


def test_a_task_that_fails_as_the_disk_is_full_is_lost_with_the_node(
    start_agent: Start, server: Server, disk: Path, tmp_path: Path
) -> None:
    start_agent(data=disk / "agent")
    waits = f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done"
    server.launch(1, command=f"{waits}; {{ echo more > file; }} 2> /dev/null || exit 9")
    server.launch(2, python="agent_tasks:print_when_told", args=[str(tmp_path)])
    wait_until((tmp_path / "begun").exists)
    running(tmp_path)
    fill(disk)
    (tmp_path / "go").touch()
    assert [server.end(stage)["class"] for stage in (1, 2)] == ["lost", "lost"]
    assert server.end(1)["exit_code"] == 9


def test_nothing_begins_on_a_full_disk_until_there_is_space(
    start_agent: Start, server: Server, disk: Path, tmp_path: Path
) -> None:
    start_agent(data=disk / "agent")
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    filler = fill(disk)
    assert until_fault(server).startswith("disk full: 0 of")
    server.launch(2, 3, command="true")
    server.until(lambda: len(server.returned()) == 3)
    filler.unlink()
    until_fit(server)
    server.launch(3, command="true")
    server.result(3)
    (tmp_path / "go").touch()
    assert server.result(1) == "done"


def test_an_agent_starts_on_a_full_disk_and_says_so(start_agent: Start, server: Server, disk: Path, tmp_path: Path) -> None:
    first = start_agent(data=disk / "agent")
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    filler = fill(disk)
    first.kill()
    server.resume = True
    start_agent(data=disk / "agent")
    assert "disk full" in until_fault(server)
    server.launch(2, command="true")
    server.until(lambda: (2, 0, 0) in server.returned())
    filler.unlink()
    until_fit(server)
    server.launch(3, command="true")
    server.result(3)


def test_an_agent_is_killed_while_its_journal_could_not_be_written(
    start_agent: Start, server: Server, disk: Path, tmp_path: Path
) -> None:
    first = start_agent(data=disk / "agent")
    server.launch(1, 40, python=WAIT, args=[str(tmp_path)])
    running(tmp_path)
    filler = fill(disk)
    until_fault(server)
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 40)
    first.kill()
    filler.unlink()
    server.resume = True
    start_agent(data=disk / "agent")
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0


def test_files_that_do_not_fit_are_unpacked_when_there_is_space(start_agent: Start, server: Server, disk: Path) -> None:
    agent = start_agent(data=disk / "agent")
    filler = fill(disk, leave=6 * MB)
    server.files[1] = {"small.txt": "small", "large.txt": "x" * (8 * MB)}
    server.launch(1, command="wc -c < large.txt", files_digest="d")
    server.until(lambda: (1, 0, 0) in server.returned())
    assert "disk full" in until_fault(server)
    filler.unlink()
    until_fit(server)
    server.entry += 1
    server.launch(1, attempt=0, command="wc -c < large.txt", files_digest="d")
    assert server.end(1)["outcome"] == "FINISHED"
    assert [path.name for path in (agent.data / "files").iterdir()] == ["d"]
