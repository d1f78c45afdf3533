"""What an agent shows of itself when it registers, and what it does when another runs as its node."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from switchyard.agent.disk.secret import Secret
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import WAIT, alive, running


def test_an_agent_shows_at_each_start_the_secret_of_the_last_one(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent()
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    agent.kill()
    start_agent()
    first, second = server.registrations
    assert second["last_secret"] == first["secret"] != second["secret"]
    assert second["info"]["place"] == first["info"]["place"]
    assert stat.S_IMODE((agent.data / "secret").stat().st_mode) == 0o600


def test_a_secret_that_was_not_answered_is_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = Secret(path)
    assert (first.last, Secret(path).own) == ("", first.own)
    first.answered()
    second = Secret(path)
    assert second.last == first.own != second.own
    third = Secret(path)
    assert (third.last, third.own) == (second.last, second.own)
    third.answered()
    assert Secret(path).last == third.own


def test_a_file_that_a_power_cut_left_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\0" * 88)
    assert Secret(path).last == ""


def test_an_agent_whose_place_is_taken_ends_its_tasks_at_once(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    start_agent("--slots", "2", "--heartbeat", "0.2")
    server.launch(1, python=WAIT, args=[str(tmp_path)])
    pid = running(tmp_path)
    server.until(server.started)
    server.refusal, server.refusal_code = "Another agent runs as this node since noon.", "occupied"
    server.secret = "of another"
    wait_until(lambda: not alive(pid))
    wait_until(lambda: server.refused)


def test_an_agent_waits_for_the_other_to_be_silent_and_then_gives_up(
    server: Server, start_agent: Callable[..., Agent]
) -> None:
    server.refusal, server.refusal_code = "Another agent runs as this node since noon: stop it.", "occupied"
    agent = start_agent("--slots", "2", "--fence", "1")
    assert agent.process.wait() == 3
    assert server.refused > 1
    assert "Another agent runs as this node since noon: stop it." in agent.stop()
    server.refusal = ""
    start_agent()
    assert server.registrations[0]["session"] == ""


def test_why_an_agent_has_no_session_is_logged_once(
    server: Server, start_agent: Callable[..., Agent], capfd: pytest.CaptureFixture[str]
) -> None:
    server.down_for = 3
    start_agent()
    server.launch(1, python="agent_tasks:square")
    server.result(1)
    assert server.requests["register"] == 4
    assert capfd.readouterr().out.count("not registered, trying again") == 1


def test_what_waits_to_be_fetched_when_the_session_ends_fails_no_task(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    start_agent("--slots", "2", "--heartbeat", "0.2")
    session, server.secret = server.session, "of another"
    server.launch(1, files_digest="0" * 64, python="agent_tasks:square")
    wait_until(lambda: len(server.registrations) == 2)
    assert server.session != session
    assert server.reports == []
