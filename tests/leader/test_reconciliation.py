"""What differs counts once two heartbeats after each other say so."""

from typing import Any

import pytest

from switchyard.leader.reconciliation import Difference, Reconciler, to_end
from switchyard.messaging.messages import Heartbeat
from switchyard.scheduling.indexes import IndexSet
from tests.leader.memory_ports import MemoryLists

TASK = IndexSet.span(1, 2)


@pytest.fixture
def lists() -> MemoryLists:
    lists = MemoryLists()
    lists.add(5)
    return lists


def beat(begun: list[Any], **more: Any) -> Heartbeat:
    return Heartbeat(1, "one", 1, {"inventory": {"listed": [], "begun": begun, "ended": [], **more}})


def test_what_lacks_twice_is_missing_and_what_is_beyond_twice_is_to_end(lists: MemoryLists) -> None:
    reconciler = Reconciler(lists)
    has = [[5, 0, [[0, 1]]], [6, 1, [[1, 2]]]]
    assert reconciler.compare([beat(has)], ()) == []
    found = reconciler.compare([beat(has)], ())
    assert found == [Difference(1, "one", {(5, 0): TASK}, {(6, 1): TASK})]
    assert to_end(found) == {"one": [[6, 1, [[1, 2]]]]}


def test_what_differs_now_and_then_is_on_its_way(lists: MemoryLists) -> None:
    reconciler = Reconciler(lists)
    some, whole = [[5, 0, [[0, 1]]]], [[5, 0, [[0, 2]]]]
    assert [reconciler.compare([beat(has)], ()) for has in (some, whole, some, whole)] == [[]] * 4


@pytest.mark.parametrize("more", [{"ended": [[5, 0, [[0, 2]]]]}, {"reported": 3}])
def test_what_has_ended_and_what_a_late_heartbeat_says_is_no_difference(lists: MemoryLists, more: dict[str, Any]) -> None:
    lists.reports = {1: 4}
    reconciler = Reconciler(lists)
    assert [reconciler.compare([beat([], **more)], ()) for _ in range(2)] == [[], []]


def test_an_agent_lacks_nothing_that_it_may_not_have_heard_of(lists: MemoryLists) -> None:
    reconciler = Reconciler(lists)
    assert [reconciler.compare([beat([])], {5}) for _ in range(2)] == [[], []]
    assert len(reconciler.compare([beat([])], ()) + reconciler.compare([beat([])], ())) == 1
