"""Environments that stages name: built once on the node, by the installers that are there, without a network."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_full_disk import disk as disk
from tests.agent.test_full_disk import fill, until_fit
from tests.agent.test_long_descriptions import told_inventory
from tests.agent.wheels import offline, wheel

CODE = "import sys\n\nWORD = 'found'\n\ndef main(): print('hello from', sys.prefix)\n"
ASK = """
import os, sys
import tiny

def where(task): return [tiny.WORD, sys.prefix, os.environ["VIRTUAL_ENV"], os.environ["PATH"].split(":")[0]]
"""
TINY = {"requirements": ["tiny>=1"]}
Start = Callable[..., Agent]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Give a folder with the wheel of a tiny package."""
    folder = tmp_path / "wheels"
    wheel(folder, "tiny", code=CODE, script="tiny-hello")
    return folder


@pytest.fixture
def agent(start_agent: Start, packages: Path) -> Agent:
    """Give an agent that finds packages in the folder alone."""
    return start_agent(env=offline(packages))


def homes(agent: Agent) -> list[Path]:
    return [path for path in (agent.data / "environments").glob("*-*") if path.is_dir() and path.suffix != ".tmp"]


def log(server: Server, stage: int, index: int = 0, stream: str = "stderr") -> str:
    """Return the whole log of a task that has ended with one."""
    key = f"{stage}/{index}/0/{stream}"
    size = server.end(stage, index)["logs"][stream]["bytes"]
    wait_until(lambda: len(server.logs.get(key, b"")) == size)
    return server.logs[key].decode()


@pytest.fixture
def silence() -> Iterator[str]:
    """Give the address of a package index that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def builders(agent: Agent) -> list[str]:
    """Return the command lines of builds and their installers, which name the agent's folder."""
    lines = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    return [line for line in lines if f"{agent.data}/environments" in line]


def until_building(server: Server, agent: Agent) -> str:
    """Wait until an installer runs; return what a heartbeat says of the stage 1 meanwhile."""
    wait_until(lambda: any(" install " in line for line in builders(agent)))
    said: str = wait_until(lambda: told_inventory(server)["fetching"].get("1", ""))
    return said


def test_tasks_run_in_the_environment_that_their_stage_names(agent: Agent, server: Server) -> None:
    """Stages with the same environment wait for the one build, which is told in the log of its first task."""
    server.files[1] = {"ask.py": ASK}
    server.launch(1, python="ask:where", files_digest="d1", environment=TINY)
    server.launch(2, shell=True, command='tiny-hello && echo "$VIRTUAL_ENV" && python -c "import tiny"', environment=TINY)
    result = server.end(1)["result"]
    [home] = homes(agent)
    assert server.result(1) == ["found", str(home), str(home), f"{home}/bin"], result
    assert log(server, 2, stream="stdout") == f"hello from {home}\n{home}\n"
    told = log(server, 1) + log(server, 2)
    assert "Successfully installed tiny-1.0" in told
    assert "SECRET" not in told
    server.launch(3, command=["tiny-hello"], environment=TINY)
    server.launch(4, python="agent_tasks:square")
    assert "stderr" not in server.end(3)["logs"], "it was built before"
    assert server.result(4) == 0
    assert (home / "lib").stat().st_mode & 0o222 == 0


def test_a_package_that_does_not_exist_fails_a_task_with_the_words_of_pip(agent: Agent, server: Server) -> None:
    server.launch(1, 10, command=["true"], environment={"requirements": ["no-such-thing==1"]})
    end = server.end(1)
    assert (end["class"], end["unfit"], end["outcome"]) == ("environment", None, "FAILED")
    assert "No matching distribution found for no-such-thing==1" in end["error"]
    assert end["error"].startswith("its environment cannot be built: ERROR: ")
    assert "ERROR: No matching distribution found for no-such-thing==1" in log(server, 1)
    server.until(lambda: len(server.ends()) + len(server.returned()) == 10)
    assert homes(agent) == []
    server.launch(2, command=["true"])
    assert server.result(2) is None


def test_a_version_of_python_that_is_not_there_is_told_as_what_the_node_lacks(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:square", environment={"python": "3.99"})
    end = server.end(1)
    assert end["class"] == "environment"
    assert "Python 3.99 is not on this node; there is 3." in end["error"]
    assert end["unfit"].startswith("its environment cannot be built there: error: Python 3.99 is not on this node")


def test_a_cancel_ends_the_build_that_nobody_waits_for(
    start_agent: Start, server: Server, packages: Path, silence: str
) -> None:
    agent = start_agent(env=offline(packages) | {"SWITCHYARD_PIP_ARGS": f"--index-url {silence}"})
    server.launch(1, 2, command=["true"], environment=TINY)
    assert until_building(server, agent).startswith("builds its environment")
    server.command(cancels=[[1, 0, [[0, 2]]]])
    server.until(lambda: len(server.returned()) == 2)
    wait_until(lambda: not builders(agent) and not homes(agent))
    assert server.ends() == {}


def test_a_killed_agent_leaves_no_half_of_an_environment(
    start_agent: Start, server: Server, packages: Path, silence: str
) -> None:
    agent = start_agent(env=offline(packages) | {"SWITCHYARD_PIP_ARGS": f"--index-url {silence}"})
    server.launch(1, command=["tiny-hello"], environment=TINY)
    until_building(server, agent)
    [half] = homes(agent)
    agent.kill()
    server.resume = True
    again = start_agent(env=offline(packages))
    assert not builders(agent)
    server.result(1)
    assert [half] != homes(again)
    [home] = homes(again)
    again.stop()
    # A successor goes on with it; an agent of its own folder has its own.
    start_agent(env=offline(packages))
    server.launch(2, command=["tiny-hello"], environment=TINY)
    assert "stderr" not in server.end(2)["logs"]
    assert homes(again) == [home]


def test_environments_that_no_task_needs_are_removed_beyond_the_bound(
    start_agent: Start, server: Server, packages: Path
) -> None:
    agent = start_agent("--slots", "2", "--environments", "0", env=offline(packages))
    server.launch(1, command="while [ ! -e go ]; do sleep 0.05; done; tiny-hello", shell=True, environment=TINY)
    server.until(server.started)
    assert len(homes(agent)) == 1
    [folder] = (agent.data / "workers").glob("*/command-0")
    (folder / "go").touch()
    assert log(server, 1, stream="stdout").startswith("hello from")
    wait_until(lambda: not homes(agent))
    server.files[2] = {"ask.py": ASK}
    server.launch(2, python="ask:where", files_digest="d1", environment=TINY)
    assert server.result(2)[0] == "found"
    wait_until(lambda: not homes(agent))


def test_a_disk_that_is_full_is_the_loss_of_the_node(start_agent: Start, server: Server, packages: Path, disk: Path) -> None:
    wheel(packages, "large", code=f"DATA = {os.urandom(4_000_000).hex()!r}")
    agent = start_agent(data=disk / "agent", env=offline(packages))
    until_fit(server)
    full = fill(disk, leave=6_000_000)
    server.launch(1, command=["true"], environment={"requirements": ["large"]})
    end = server.end(1)
    assert (end["class"], end["unfit"]) == ("lost", None)
    assert "the node could not run the task: disk full" in end["error"]
    wait_until(lambda: not homes(agent))
    full.unlink()
    until_fit(server)
    server.launch(1, command=["true"], attempt=1, environment={"requirements": ["large"]})
    assert server.result(1, attempt=1) is None
