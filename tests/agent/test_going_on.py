"""Going on: tasks that wait only for what their own worker does first are handed over with it, and need no agent between."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.messages import Launch
from tests.agent.conftest import Agent, Server, wait_until
from tests.agent.test_stopping import running


def launch_chain(server: Server, *specs: dict[str, Any]) -> None:
    """Launch stages of one task in one command, each after the one before."""
    launches, stages = [], {}
    for stage, spec in enumerate(specs, 1):
        need = {"stage": stage - 1, "name": "before", "parallelism": 1, "exchange": "all", "known": [], "fetch": False}
        stages[stage] = {
            "job": "job", "name": f"s{stage}", "parallelism": 1, "spec": spec, "inputs": [need] if stage > 1 else [],
        }  # fmt: skip
        after = [[stage - 1, 0, 1]] if stage > 1 else []
        launches.append(Launch(server.entry + stage, stage, 0, [[0, 1]], {"cpus": 1000}, after))
    server.entry += len(specs)
    server.command(launches=launches, stages=stages)


def python(name: str, *args: Any) -> dict[str, Any]:
    return {"python": f"agent_tasks:{name}", "args": list(args)}


def freeze_in_a_chain(agent: Agent, server: Server, folder: Path) -> None:
    """Launch a chain whose first task has its agent stand still, and see the third done all the same."""
    launch_chain(
        server, python("freeze", agent.process.pid), python("total"), python("note", str(folder)), python("wait", str(folder))
    )
    wait_until((folder / "noted").exists)


def test_a_chain_goes_on_with_its_results_while_the_agent_stands_still(agent: Agent, server: Server, tmp_path: Path) -> None:
    freeze_in_a_chain(agent, server, tmp_path)
    running(tmp_path)
    assert (tmp_path / "noted").read_text() == "1"
    assert not server.ends()
    os.kill(agent.process.pid, signal.SIGCONT)
    (tmp_path / "go").touch()
    assert [server.result(stage) for stage in (1, 2, 3, 4)] == [1, 1, 1, "done"]


def test_a_successor_tells_begun_from_unbegun_in_a_chain(
    start_agent: Callable[..., Agent], server: Server, tmp_path: Path
) -> None:
    first = start_agent()
    specs = [python("freeze", first.process.pid), python("total"), python("wait", str(tmp_path)), python("total")]
    launch_chain(server, *specs, python("total"))
    running(tmp_path)
    first.kill()
    server.resume = True
    start_agent()
    server.until(lambda: len(server.ends()) + len(server.returned()) == 5)
    assert server.ends() == {(stage, 0, 0): "lost" for stage in (1, 2, 3)}
    assert server.returned() == {(4, 0, 0), (5, 0, 0)}


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
