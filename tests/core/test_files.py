"""Files that tasks hand on: an end waits for them without a slot, and who needs them begins with them."""

from typing import Any

import pytest

from switchyard.agent.core.entries import KEEP_FILES
from switchyard.agent.core.records import Stored
from switchyard.messaging.messages import Command, Launch
from switchyard.scheduling.indexes import IndexSet
from tests.core.memory_node import MemoryNode, Question, recover

FILE = ["model", "model.bin", "d" * 64, 5, False]
STAGE = {"name": "s", "job": "j", "parallelism": 2, "inputs": [], "spec": {"command": ["true"]}}
NEEDS = {"stage": 1, "name": "s", "parallelism": 2, "exchange": "all", "given": [], "files": ["model"]}
TASK = (1, 0, 0)


def launch(stage: int, entry: int, described: dict[str, Any], count: int = 2) -> Command:
    launched = Launch(entry, stage, 0, [[0, count]], {"cpus": 1000}, [])
    return Command("session", entry, 0, launches=[launched], stages={stage: described})


def ends(node: MemoryNode) -> list[tuple[int, int, str, Any]]:
    node.machine.reports.acknowledged(99)
    node.now += 1
    node.turn()
    others = [end for report, again in node.sent if not again for end in report["others"]]
    return [(end[0], end[2], end[5], end[17]) for end in others]


@pytest.fixture
def node() -> MemoryNode:
    """Give a node whose only slot has run a task that hands on a file."""
    node = MemoryNode({"cpus": 1000}, 1000.0)
    node.command(launch(1, 1, STAGE))
    node.turn()
    run(node, files=[FILE], unstored=True)
    return node


def run(node: MemoryNode, **more: Any) -> None:
    [worker] = [each for each in node.workers if each.tasks]
    worker.read()
    worker.begin(node.now)
    worker.end_task(node.now, outcome="FINISHED", result="7", **more)
    node.turn()


def stores(node: MemoryNode) -> list[Question]:
    return [each for each in node.fetcher.questions if each.kind == "store_files"]


def test_an_end_waits_until_its_files_are_stored_and_holds_no_slot(node: MemoryNode) -> None:
    [asked] = stores(node)
    assert asked.asked[0] == TASK
    assert ends(node) == []
    assert not node.machine.idle
    run(node)  # The slot is free for the other task meanwhile.
    assert [task[1] for task in ends(node)] == [1]
    node.answer(asked, True)
    assert (1, 0, "FINISHED", [FILE]) in ends(node)


@pytest.mark.parametrize(("answer", "exit_class"), [(None, "user_error"), (False, "lost"), ("The storage is full.", "lost")])
def test_files_that_cannot_be_stored_are_a_failure(node: MemoryNode, answer: Stored, exit_class: str) -> None:
    node.answer(stores(node)[0], answer)
    [(_, _, outcome, files)] = ends(node)
    assert (outcome, files) == ("FAILED", None)
    end = node.sent[-1][0]["others"][0]
    assert end[9] == exit_class
    assert not isinstance(answer, str) or answer in str(end)


def test_a_task_is_canceled_while_its_files_are_on_their_way(node: MemoryNode) -> None:
    [asked] = stores(node)
    node.command(Command("session", 2, 0, cancels=[[1, 0, [[0, 1]]]]))
    assert ends(node) == [(1, 0, "CANCELED", None)]
    assert stores(node) == []
    asked.done(False)
    assert len(ends(node)) == 1


def test_a_successor_stores_what_its_predecessor_did_not(node: MemoryNode) -> None:
    after = MemoryNode({"cpus": 1000}, node.now, recovered=recover(node.crash(), reported=0))
    [asked] = stores(after)
    assert asked.asked[0] == TASK
    after.answer(asked, True)
    assert (1, 0, "FINISHED", [FILE]) in ends(after)


def test_who_needs_files_asks_the_server_though_the_task_ended_here(node: MemoryNode) -> None:
    node.answer(stores(node)[0], True)
    run(node)
    node.command(launch(2, 2, STAGE | {"parallelism": 1, "inputs": [NEEDS]}, 1))
    [asked] = [each for each in node.fetcher.questions if each.kind == "inputs"]
    assert asked.asked[0] == {1: IndexSet.span(0, 2)}
    assert node.machine.inventory(node.now)["fetching"] == {2: "fetches its inputs and their files"}
    node.answer(asked, {1: {"given": [[0, "7"], [1, "1"]], "files": [[0, [FILE]]]}})
    node.turn()
    run(node)
    for _ in range(2):
        node.now += 2 * KEEP_FILES
        node.machine.tick(node.now)
    assert node.fetcher.forgotten == [2]
    node.command(launch(2, 3, STAGE | {"parallelism": 1, "inputs": [NEEDS]}, 1))
    assert [each.kind for each in node.fetcher.questions] == ["inputs"]
