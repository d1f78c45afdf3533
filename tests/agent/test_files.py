"""What a job brings along: each task finds it as it was sent, whatever others made of it, and can run what is executable."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.process import Agent
from tests.agent.server import Server
from tests.agent.test_commands import shell
from tests.agent.test_telling import whole

FILES = {"data.txt": "a\n", "lib/more.txt": "more\n"}
MODULE = """
from pathlib import Path

def spoil(task):
    here = Path(__file__).parent
    read = [path.read_text() for path in (Path("data.txt"), here / "data.txt", here / "lib/more.txt")]
    with Path("data.txt").open("a") as file:
        file.write("b\\n")
    (here / "lib/more.txt").unlink()
    (here / "lib/more.txt").symlink_to("/etc/passwd")
    return read
"""


def test_what_a_command_changes_of_its_files_is_its_own(agent: Agent, server: Server) -> None:
    server.files = dict.fromkeys((1, 2), FILES)
    shell(server, "echo b >> data.txt; rm -r lib; cat data.txt", count=3, files_digest="d")
    for index in range(3):
        assert whole(server, server.end(1, index), "stdout") == "a\nb\n"
    shell(server, "cat data.txt lib/more.txt", stage=2, count=2, files_digest="d")
    for index in range(2):
        assert whole(server, server.end(2, index), "stdout") == "a\nmore\n"
    assert (agent.data / "files/d/data.txt").read_text() == "a\n"


def test_what_a_python_task_changes_of_its_files_is_as_it_was_for_the_next(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    agent = start_agent("--slots", "1")
    server.files = {stage: {**FILES, "spoiling.py": MODULE} for stage in (1, 2)}
    server.launch(1, 3, python="spoiling:spoil", files_digest="d")
    assert [server.result(1, index) for index in range(3)] == [["a\n", "a\n", "more\n"]] * 3
    server.launch(2, python="spoiling:spoil", files_digest="d")
    assert server.result(2) == ["a\n", "a\n", "more\n"]
    assert sorted(path.name for path in (agent.data / "files/d").rglob("*")) == ["data.txt", "lib", "more.txt", "spoiling.py"]


def test_what_is_executable_can_be_run(agent: Agent, server: Server) -> None:
    script: dict[str, Any] = {"text": "#!/bin/sh\necho ran; test ! -x data.txt\n", "executable": True}
    server.files[1] = {"bin/run.sh": script, "data.txt": "text"}
    server.launch(1, command=["./bin/run.sh"], files_digest="d")
    end = server.end(1)
    assert (end["outcome"], whole(server, end, "stdout")) == ("FINISHED", "ran\n")


@pytest.mark.parametrize(("env", "home"), [({}, None), ({"HOME": "/somewhere"}, "/somewhere")])
def test_tasks_have_a_home(agent: Agent, server: Server, env: dict[str, str], home: str | None) -> None:
    shell(server, 'echo "$HOME"; pwd', env=env)
    told, cwd = whole(server, server.end(1), "stdout").splitlines()
    assert told == (home or cwd)
    server.launch(2, python="agent_tasks:environment", env=env)
    told = server.result(2)["HOME"]
    assert told == home if home else Path(told).parent.parent == agent.data / "workers"
