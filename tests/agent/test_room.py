"""Room: whatever happens to what was handed over and has not begun, the slots are there for the next task."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.agent.process import Agent
from tests.agent.server import Server


@pytest.mark.parametrize("how", ["cancels", "recalls"])
def test_slots_are_free_again_when_all_was_taken_back_before_it_began(agent: Agent, server: Server, how: str) -> None:
    server.launch(1, 2, command=["sleep", "60"])
    what: dict[str, Any] = {how: [[1, 0, [[0, 2]]]]}
    server.command(**what)
    server.launch(2, 2, command=["true"])
    server.until(lambda: {(2, 0, 0), (2, 0, 1)} <= server.ends().keys())
    assert {(1, 0, 0), (1, 0, 1)} <= server.returned() | server.ends().keys()


def test_slots_are_free_again_after_a_pause(agent: Agent, server: Server) -> None:
    server.launch(1, 2, command=["sleep", "60"])
    server.command(pause=1)
    server.until(lambda: len(server.returned()) == 2)
    server.launch(2, 2, command=["true"])
    server.until(lambda: {(2, 0, 0), (2, 0, 1)} <= server.ends().keys())


def test_slots_are_free_again_when_a_stage_turns_out_to_be_unloadable(
    start_agent: Callable[..., Agent], server: Server
) -> None:
    start_agent("--slots", "4")
    server.launch(1, 40, python="no_such_module:thing")
    server.until(lambda: len(server.ends()) + len(server.returned()) == 40)
    server.launch(2, 4, python="agent_tasks:square")
    assert [server.result(2, index) for index in range(4)] == [0, 1, 4, 9]


def test_a_canceled_stage_with_files_of_its_own_leaves_its_slots(agent: Agent, server: Server) -> None:
    server.launch(9, 1, python="agent_tasks:square")
    assert server.result(9) == 0
    for stage in range(1, 6):
        digest = f"{stage:064x}"
        server.files[stage] = {"mine.py": "def run():\n    return 1\n"}
        server.launch(stage, 2, python="mine:run", files_digest=digest)
        server.command(cancels=[[stage, 0, [[0, 2]]]])
        told = {(stage, 0, 0), (stage, 0, 1)}
        server.until(lambda told=told: told <= server.returned() | server.ends().keys())  # type: ignore[misc]
    server.launch(8, 2, python="agent_tasks:square")
    assert [server.result(8, index) for index in range(2)] == [0, 1]


def test_a_worker_that_does_not_begin_is_given_up(start_agent: Callable[..., Agent], server: Server) -> None:
    start_agent("--slots", "1")
    server.launch(1, python="agent_tasks:pid")
    pid = server.result(1)
    os.kill(pid, signal.SIGSTOP)
    server.launch(2, 3, python="agent_tasks:square")
    every = {(2, 0, index) for index in range(3)}
    # What it had read from its pipe another worker may begin at once.
    server.until(lambda: server.returned() | server.ends().keys() >= every)
    assert server.returned()
    server.launch(3, python="agent_tasks:pid")
    assert server.result(3) != pid
