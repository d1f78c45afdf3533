"""Commands that arrive again, or after later ones: an entry is taken once, and what was asked back stays away."""

from dataclasses import replace
from typing import Any

import pytest

from switchyard.agent.core.reports import CONFIRM
from switchyard.messaging.messages import Command, Launch
from tests.core.memory_node import MemoryNode, recover

ROOM = {"cpus": 1000}
STAGE = {"name": "s", "job": "j", "parallelism": 1, "inputs": [], "spec": {"command": ["true"]}}


def command(number: int, **what: Any) -> Command:
    return Command("session", number, 0, **what)


def launch(number: int) -> Command:
    return command(number, launches=[Launch(7, 1, 0, [[0, 1]], {"cpus": 1000}, [])], stages={1: STAGE})


def returns(node: MemoryNode) -> list[Any]:
    node.now += CONFIRM
    node.turn()
    return [returned for report, _ in node.sent for returned in report["returns"]]


@pytest.fixture
def node() -> MemoryNode:
    return MemoryNode(ROOM, 1000.0)


def test_an_entry_that_was_returned_at_once_is_not_taken_when_its_command_comes_again(node: MemoryNode) -> None:
    node.machine.leave("unfit", node.now)
    node.command(launch(1))
    node.machine.come_back("unfit")
    node.command(launch(2))
    assert returns(node) == [[1, 0, [[0, 1]]]]
    assert not node.workers


def test_nor_is_it_by_a_successor(node: MemoryNode) -> None:
    node.machine.leave("unfit", node.now)
    node.command(launch(1))
    successor = MemoryNode(ROOM, node.now, recovered=recover(node.crash(), reported=0))
    successor.command(launch(2))
    assert returns(successor) == [[1, 0, [[0, 1]]]]
    assert not successor.workers


def test_nor_is_it_forgotten_if_the_agent_dies_between_two_notes(node: MemoryNode) -> None:
    node.machine.leave("unfit", node.now)
    node.command(launch(1))
    values, pages = node.crash()
    for count in range(1, len(values) + 1):
        successor = MemoryNode(ROOM, node.now, recovered=recover((values[:count], pages), reported=0))
        successor.command(launch(2))
        assert returns(successor) == [[1, 0, [[0, 1]]]] or successor.workers


def test_running_tasks_are_not_returned_when_their_command_comes_again_while_the_agent_leaves(node: MemoryNode) -> None:
    node.command(launch(1))
    node.turn()
    (worker,) = node.workers
    worker.read()
    worker.begin(node.now)
    node.machine.leave("unfit", node.now)
    node.command(launch(2))
    assert returns(node) == []


@pytest.mark.parametrize("how", ["recalls", "cancels"])
def test_a_successor_does_not_obey_a_launch_that_is_older_than_what_asked_it_back(node: MemoryNode, how: str) -> None:
    node.command(command(2, **{how: [[1, 0, [[0, 1]]]]}))
    successor = MemoryNode(ROOM, node.now, recovered=recover(node.crash(), reported=0))
    successor.command(launch(1))
    assert returns(successor) == [[1, 0, [[0, 1]]]]
    assert not successor.workers


def test_a_launch_of_what_was_returned_is_taken_only_when_the_leader_knows_of_that(node: MemoryNode) -> None:
    node.command(command(1, cancels=[[1, 0, [[0, 1]]]]))
    assert returns(node) == [[1, 0, [[0, 1]]]]
    node.command(launch(2))
    node.turn()
    assert not node.workers
    node.command(replace(launch(3), acknowledged=1))
    node.turn()
    assert len(node.workers) == 1
    node.now += CONFIRM
    node.turn()
    assert [command for report, _ in node.sent for command in report["seen"]] == [3]
