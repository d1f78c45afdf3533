"""Going on: tasks that wait only for what their own worker does first are handed over with it, and need no agent between."""

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from switchyard.messaging.messages import Launch
from tests.agent.process import Agent
from tests.agent.server import Server
from tests.agent.test_stopping import running


def launch_chain(server: Server, *specs: dict[str, Any], first: int = 1) -> None:
    """Launch stages of one task in one command, each after the one before."""
    launches, stages = [], {}
    for stage, spec in enumerate(specs, first):
        need = {"stage": stage - 1, "name": "before", "parallelism": 1, "exchange": "all", "given": []}
        stages[stage] = {
            "job": "job", "name": f"s{stage}", "parallelism": 1, "spec": spec, "inputs": [need] if stage > first else [],
        }  # fmt: skip
        after = [[stage - 1, 0, 1]] if stage > first else []
        launches.append(Launch(server.entry + stage, stage, 0, [[0, 1]], {"cpus": 1000}, after))
    server.entry += len(specs)
    server.command(launches=launches, stages=stages)


def python(name: str, *args: Any) -> dict[str, Any]:
    return {"python": f"agent_tasks:{name}", "args": list(args)}


def stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def over(process: psutil.Process, server: Server, task: tuple[int, int, int]) -> bool:
    return stopped(process) or task in server.ends()


def launch_frozen(agent: Agent, server: Server, *specs: dict[str, Any]) -> int:
    """Launch chains until the agent stands still with one wholly handed over; return the stage of its first task.

    A worker may be quicker than its agent hands over, or so slow that what it was handed is taken back: then its chain fails.
    """
    process, behind = psutil.Process(agent.process.pid), len(specs)
    for first in range(1, 10 * behind, behind + 1):
        launch_chain(server, python("freeze", process.pid, behind), *specs, first=first)
        server.until(partial(over, process, server, (first, 0, 0)))
        if stopped(process):
            return first
    raise AssertionError("no chain was handed over in time")


def test_a_chain_goes_on_with_its_results_while_the_agent_stands_still(agent: Agent, server: Server, tmp_path: Path) -> None:
    first = launch_frozen(agent, server, python("total"), python("note", str(tmp_path)), python("wait", str(tmp_path)))
    running(tmp_path)
    assert (tmp_path / "noted").read_text() == "1"
    assert (first, 0, 0) not in server.ends()
    os.kill(agent.process.pid, signal.SIGCONT)
    (tmp_path / "go").touch()
    assert [server.result(stage) for stage in range(first, first + 4)] == [1, 1, 1, "done"]


def test_a_successor_tells_begun_from_unbegun_in_a_chain(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    agent = start_agent()
    first = launch_frozen(agent, server, python("total"), python("wait", str(tmp_path)), python("total"), python("total"))
    running(tmp_path)
    agent.kill()
    server.resume = True
    start_agent()
    chain = {(stage, 0, 0) for stage in range(first, first + 5)}
    server.until(lambda: chain <= server.ends().keys() | server.returned())
    assert {task: end for task, end in server.ends().items() if task in chain} == {
        (stage, 0, 0): "lost" for stage in range(first, first + 3)
    }
    assert chain & server.returned() == {(first + 3, 0, 0), (first + 4, 0, 0)}


def test_what_comes_after_a_task_that_failed_does_not_run(agent: Agent, server: Server, tmp_path: Path) -> None:
    launch_chain(server, python("square"), python("fail"), python("note", str(tmp_path)), python("total"))
    server.until(lambda: server.returned() == {(3, 0, 0), (4, 0, 0)})
    assert server.ends() == {(1, 0, 0): "0", (2, 0, 0): "user_error"}
    assert not (tmp_path / "noted").exists()
    server.launch(9, 3, python="agent_tasks:square")
    assert server.result(9, 2) == 4


def test_what_comes_after_a_result_that_goes_to_the_server_is_returned(agent: Agent, server: Server) -> None:
    launch_chain(server, python("large", 100_000), python("total"), python("total"))
    server.until(lambda: server.returned() == {(2, 0, 0), (3, 0, 0)})
    assert server.end(1)["result_digest"] in server.artifacts


def test_commands_are_given_what_their_own_worker_has_made(agent: Agent, server: Server) -> None:
    tell = {"command": 'echo {\\"result\\": 7} > "$SWITCHYARD_REPORT"', "shell": True}
    hand_on = {"command": 'echo "{\\"result\\": $(cat "$SWITCHYARD_INPUTS")}" > "$SWITCHYARD_REPORT"', "shell": True}
    launch_chain(server, tell, hand_on)
    assert server.result(2) == {"before": [7]}


def test_what_is_canceled_before_its_turn_is_returned(agent: Agent, server: Server, tmp_path: Path) -> None:
    launch_chain(server, python("wait", str(tmp_path)), python("note", str(tmp_path)), python("total"))
    running(tmp_path)
    server.command(cancels=[[2, 0, [[0, 1]]]])
    server.until(lambda: (2, 0, 0) in server.returned())
    (tmp_path / "go").touch()
    assert server.result(1) == "done"
    server.until(lambda: (3, 0, 0) in server.returned())
    assert not (tmp_path / "noted").exists()
