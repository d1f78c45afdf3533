"""Stopping: recalls, pauses, cancels, timeouts, and what must not wait behind a long task."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server

WAIT = "agent_tasks:wait"


def running(folder: Path, index: int = 0) -> int:
    """Wait until a task says that it runs; return its process id."""
    path = folder / f"running-{index}"
    return int(wait_until(lambda: path.exists() and path.read_text()))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_recall_returns_what_has_not_begun_and_leaves_the_rest(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 40, python=WAIT, args=[str(tmp_path)])
    running(tmp_path, 0)
    server.command(recalls=[[1, 0, [[0, 40]]], [9, 0, [[0, 2]]]])
    server.until(lambda: (9, 0, 1) in server.returned() and len(server.returned()) >= 38)
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 42)
    assert {stage for stage, _, _ in server.ends()} == {1}
    assert not server.ends().keys() & server.returned()


def test_a_recall_that_comes_again_is_answered_once(agent: Agent, server: Server) -> None:
    for _ in range(3):
        server.command(acknowledged=0, recalls=[[1, 0, [[0, 5]]]])
    server.launch(2, python="agent_tasks:square")
    server.result(2)
    assert len(server.returned()) == 5


def test_a_recall_does_not_return_what_has_ended(agent: Agent, server: Server) -> None:
    server.launch(1, 3, python="agent_tasks:square", more={"acknowledged": 0})
    assert server.report() is not None
    server.command(acknowledged=0, recalls=[[1, 0, [[0, 3]]]])
    server.launch(2, python="agent_tasks:square")
    # On a slow machine no worker may be there in time; then the second stage is given back, which is an answer too.
    server.until(lambda: (2, 0, 0) in server.ends().keys() | server.returned())
    assert not server.returned() & server.ends().keys()


def test_what_was_placed_before_a_settled_pause_is_returned_however_late_it_comes(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    start_agent()
    server.command(pause=7)
    server.until(lambda: server.reports[-1].pause == 7 if server.reports else False)
    server.launch(1, 2, python="agent_tasks:square", pause=6)
    server.until(lambda: len(server.returned()) == 2)
    server.launch(2, python="agent_tasks:square", pause=8)
    server.result(2)
    assert {stage for stage, _, _ in server.ends()} == {2}


def test_a_successor_knows_of_a_settled_pause(start_agent: Callable[..., Agent], server: Server) -> None:
    server.pause = 7
    start_agent()
    server.launch(1, 2, python="agent_tasks:square", pause=6)
    server.until(lambda: len(server.returned()) == 2)


def test_a_pause_returns_all_that_has_not_begun_and_is_confirmed(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 40, python=WAIT, args=[str(tmp_path)])
    running(tmp_path, 0)
    server.command(pause=7)
    server.until(lambda: server.reports[-1].pause == 7 if server.reports else False)
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 40)
    assert len(server.ends()) <= 2


def test_an_entry_that_cannot_start_is_returned_after_a_second(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    server.launch(2, 3, python="agent_tasks:square")
    server.until(lambda: len(server.returned()) == 3)
    assert {stage for stage, _, _ in server.returned()} == {2}
    (tmp_path / "go").touch()
    server.until(lambda: len(server.ends()) == 2)


def test_short_tasks_do_not_wait_behind_a_long_one(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 500, python="agent_tasks:first_waits", args=[str(tmp_path)])
    server.until(lambda: len(server.ends()) + len(server.returned()) >= 499)
    assert (1, 0, 0) not in server.ends()
    (tmp_path / "go").touch()
    server.until(lambda: (1, 0, 0) in server.ends())


def test_canceling_ends_what_runs_and_returns_the_rest(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 10, python="agent_tasks:tidy", args=[str(tmp_path)], grace=20)
    wait_until(lambda: len(list(tmp_path.glob("running-*"))) == 2)
    server.command(cancels=[[1, 0, [[0, 10]]]])
    server.until(lambda: len(server.ends()) == 2)
    server.until(lambda: len(server.ends()) + len(server.returned()) == 10)
    assert {end["outcome"] for end in server.others()} == {"CANCELED"}
    assert (tmp_path / "tidied").read_text() == "True"


def test_what_ignores_term_is_killed_with_its_children(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="agent_tasks:stubborn", args=[str(tmp_path)], grace=0.3)
    pid = running(tmp_path)
    child = int((tmp_path / "child").read_text())
    server.command(cancels=[[1, 0, [[0, 1]]]])
    assert server.end(1)["outcome"] == "CANCELED"
    wait_until(lambda: not alive(pid) and not alive(child))


def test_a_worker_is_of_use_after_another_was_canceled(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    running(tmp_path, 0)
    running(tmp_path, 1)
    server.command(cancels=[[1, 0, [[0, 2]]]])
    server.launch(2, 100, python="agent_tasks:square")
    server.until(lambda: len(server.ends()) + len(server.returned()) == 102)
    server.launch(3, 100, python="agent_tasks:square")
    assert server.result(3, 99) == 99**2


def test_a_timeout_fails_the_task_as_such(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python=WAIT, args=[str(tmp_path)], timeout=0.3)
    end = server.end(1)
    assert (end["outcome"], end["class"]) == ("FAILED", "timeout")


def test_a_task_that_eats_too_much_memory_is_ended(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="agent_tasks:eat", args=[str(tmp_path)], demand={"cpus": 1000, "mem": 100})
    assert server.end(1)["class"] == "out_of_memory"


def test_a_killed_worker_fails_its_task_alone(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:kill_self")
    server.launch(2, 100, python="agent_tasks:square")
    end = server.end(1)
    assert (end["class"], end["exit_code"]) == ("killed", -9)
    server.until(lambda: len(server.ends()) + len(server.returned()) == 101)


def test_what_was_handed_to_a_killed_worker_is_run_by_another(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, 2, python=WAIT, args=[str(tmp_path)])
    os.kill(running(tmp_path, 0), 9)
    assert server.end(1, 0)["class"] == "killed"
    (tmp_path / "go").touch()
    server.until(lambda: (1, 0, 1) in server.ends())


def test_a_task_that_leaves_its_process_fails_with_the_status(agent: Agent, server: Server) -> None:
    server.launch(1, python="agent_tasks:leave", args=[3])
    end = server.end(1)
    assert (end["class"], end["exit_code"]) == ("user_error", 3)
