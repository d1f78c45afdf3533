"""Tasks that a worker has read and not begun when it dies: they are on the list again, and a pause or cancel still holds."""

from typing import Any

import pytest

from switchyard.agent.core.monitor import LONG
from switchyard.messaging.messages import Command, Launch
from switchyard.simulation.memory.worker import KILL
from tests.core.memory_node import MemoryNode

STAGE = {"name": "s", "job": "j", "parallelism": 1, "inputs": [], "spec": {"command": ["true"]}}


@pytest.mark.parametrize("what", [{"pause": 1}, {"cancels": [[1, 0, [[0, 1]]]]}], ids=["paused", "canceled"])
def test_they_are_returned(what: dict[str, Any]) -> None:
    node = MemoryNode({"cpus": 1000}, 1000.0)
    launch = Launch(1, 1, 0, [[0, 1]], {"cpus": 1000}, [])
    node.command(Command("session", 1, 0, launches=[launch], stages={1: STAGE}))
    node.turn()
    (worker,) = node.workers
    worker.read()
    node.command(Command("session", 2, 0, **what))
    worker.die(KILL)
    node.now += LONG
    node.machine.died(worker, worker.death(), node.now)
    node.machine.tick(node.now)
    node.turn()
    assert not node.workers
    node.now += 1
    node.turn()
    assert [report["returns"] for report, again in node.sent if not again] == [[[1, 0, [[0, 1]]]]]
