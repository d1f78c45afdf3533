"""Descriptions of stages that were too long for a message: the agent fetches them, and goes on as if it had them at once."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server

LARGE = "x" * 8_000_000


def told_inventory(server: Server) -> dict[str, Any]:
    """Wait for the next heartbeat by the broker; return what it says the agent has."""
    found = server.client.blpop(["heartbeats"], timeout=40)
    assert found
    [beat] = json.loads(base64.b64decode(json.loads(found[1])["body"]))[0]
    inventory: dict[str, Any] = json.loads(beat)["figures"]["inventory"]
    return inventory


def test_arguments_arrive_as_they_are(agent: Agent, server: Server) -> None:
    value = {"b": [6.02e23, -0.0, 2**70, "\u00e9\u2028\U0001f600"], "a": LARGE}
    server.launch(1, 3, python="agent_tasks:echo", args=[value], kwargs={"more": LARGE}, left_out=True)
    server.until(lambda: server.have_ended(3))
    assert server.requests["stages"] == 1
    assert {end["outcome"] for end in server.others()} == {"FINISHED"}
    [digest] = {end["result_digest"] for end in server.others()}
    assert json.loads(server.artifacts[digest]) == [value, {"more": LARGE}]


@pytest.mark.parametrize("how", ["env", "command"])
def test_workers_have_what_the_description_says(agent: Agent, server: Server, how: str) -> None:
    if how == "env":
        server.launch(1, python="agent_tasks:environment", env={"COLOR": "red"}, left_out=True)
        assert server.result(1)["COLOR"] == "red"
        return
    server.launch(1, command="echo '{\"result\": \"'$COLOR'\"}' > $SWITCHYARD_REPORT", env={"COLOR": "red"}, left_out=True)
    assert server.result(1) == "red"


def test_inputs_come_from_here_and_from_the_server(agent: Agent, server: Server) -> None:
    server.inputs[2] = {"7": ["70", "71"]}
    needs = [
        {"stage": 1, "name": "here", "parallelism": 2, "exchange": "all", "given": []},
        {"stage": 7, "name": "there", "parallelism": 2, "exchange": "all", "given": [[0, "70"]]},
    ]
    server.launch(1, 2, python="agent_tasks:square")
    server.launch(2, python="agent_tasks:inputs", inputs=needs, after=[[1, 0, 2]], left_out=True)
    assert server.result(2) == {"here": [0, 1], "there": [70, 71]}
    assert server.requests["stages"] == 1


def test_what_ended_here_before_the_description_came_is_handed_on(agent: Agent, server: Server) -> None:
    needs = [{"stage": 1, "name": "here", "parallelism": 2, "exchange": "all", "given": []}]
    server.inputs[2] = {"1": ["0", "1"]}
    server.down = True
    server.launch(1, 2, python="agent_tasks:square")
    server.launch(2, python="agent_tasks:inputs", inputs=needs, after=[[1, 0, 2]], left_out=True)
    server.until(lambda: len(server.ends()) == 2)
    server.command()
    server.down = False
    assert server.result(2) == {"here": [0, 1]}


def test_items_and_files_come_beside_it(agent: Agent, server: Server) -> None:
    server.items[1] = ["a", "b"]
    server.files[1] = {"mine.py": "def shout(item, mark):\n    return item.upper() + mark\n"}
    server.launch(1, 2, python="mine:shout", args=["!"], foreach=True, files_digest="f" * 64, left_out=True)
    assert [server.result(1, index) for index in range(2)] == ["A!", "B!"]


def test_it_is_fetched_until_the_server_answers_and_the_agent_says_so(agent: Agent, server: Server) -> None:
    server.down = True
    server.launch(1, 2, python="agent_tasks:square", left_out=True)
    wait_until(lambda: told_inventory(server)["fetching"] == {"1": "fetches its description"})
    server.launch(2, python="agent_tasks:square")
    assert server.result(2) == 0
    server.down = False
    assert [server.result(1, index) for index in range(2)] == [0, 1]


def test_a_cancel_does_not_wait_for_it(agent: Agent, server: Server) -> None:
    server.down = True
    server.launch(1, 5, python="agent_tasks:square", left_out=True)
    wait_until(lambda: server.requests["stages"])
    server.command(cancels=[[1, 0, [[0, 5]]]])
    server.until(lambda: len(server.returned()) == 5)
    server.refused_parts = {"stages"}
    server.down = False
    wait_until(lambda: server.requests["stages"] > 1)
    server.launch(2, 2, python="agent_tasks:square")
    assert [server.result(2, index) for index in range(2)] == [0, 1]
    assert not server.started() & {(1, 0, index) for index in range(5)}


@pytest.mark.parametrize("what", ["stages", "files", "items"])
def test_what_was_refused_is_fetched_again_when_tasks_come_again(agent: Agent, server: Server, what: str) -> None:
    server.files[1] = {"mine.py": "def shout(item):\n    return item.upper()\n"}
    server.items[1] = ["a", "b"]
    server.refused_parts = {what}
    server.launch(1, 2, python="mine:shout", foreach=True, files_digest="e" * 64, left_out=what == "stages")
    server.until(lambda: len(server.returned()) == 2)
    server.refused_parts = set()
    server.launch(1, 2, python="mine:shout", foreach=True, files_digest="e" * 64, left_out=what == "stages")
    assert [server.result(1, index) for index in range(2)] == ["A", "B"]


def test_a_command_that_says_all_of_a_stage_does_not_disturb_the_fetch(agent: Agent, server: Server) -> None:
    server.down = True
    needs = [{"stage": 7, "name": "there", "parallelism": 1, "exchange": "all", "given": [[0, "70"]]}]
    server.launch(1, 1, python="agent_tasks:inputs", parallelism=2, inputs=needs, left_out=True)
    server.launch(1, 1, first=1, python="agent_tasks:inputs", parallelism=2, inputs=needs)
    server.command()
    server.down = False
    assert [server.result(1, index) for index in range(2)] == [{"there": [70]}] * 2


def test_long_descriptions_are_kept_of_the_last_stages_alone(agent: Agent, server: Server) -> None:
    needs = [{"stage": 99, "name": "there", "parallelism": 1, "exchange": "all", "given": [[0, "70"]]}]
    stages = range(1, 20)
    for stage in stages:
        server.launch(stage, parallelism=2, python="agent_tasks:inputs", inputs=needs, env={"A": "b"}, left_out=True)
        assert server.result(stage) == {"there": [70]}
    fetched = server.requests["stages"]
    assert fetched == len(stages)
    for stage, more in ((19, 0), (1, 1)):
        server.launch(stage, first=1, parallelism=2, python="agent_tasks:inputs", inputs=needs, env={"A": "b"}, left_out=True)
        assert server.result(stage, 1) == {"there": [70]}
        assert server.requests["stages"] == fetched + more


def test_what_workers_were_told_by_file_does_not_stay(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent("--slots", "1")
    for stage in range(1, 4):
        server.launch(stage, python="agent_tasks:echo", args=[LARGE], left_out=True)
        assert server.end(stage)["outcome"] == "FINISHED"
    assert not list(agent.data.glob("workers/*/stage-*.json"))
