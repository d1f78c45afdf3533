"""A data folder that was copied: its agent is another one, and leaves the first alone."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, alive, running


def test_an_agent_on_a_copied_folder_takes_nothing_over(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    agent = start_agent()
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    pid = running(tmp_path)
    server.until(server.started)
    server.resume = True
    copy = Path(shutil.copytree(agent.data, tmp_path / "copy"))
    start_agent("--slots", "2", data=copy)
    first, second = server.registrations
    assert second["session"] == "", "it does not present a session of the first"
    assert second["info"]["agent"] != first["info"]["agent"]
    assert alive(pid)
    wait_until((copy / "place").exists)


def test_an_agent_comes_back_as_itself_on_its_own_folder(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent()
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    agent.kill()
    server.resume = True
    start_agent()
    first, second = server.registrations
    assert second["session"] == "session1"
    assert second["info"]["agent"] == first["info"]["agent"]
