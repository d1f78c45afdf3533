"""A database that has forgotten something, or whose clock was set, is noticed."""

from collections.abc import Collection

import pytest

from switchyard.leader import rollback
from switchyard.leader.database_clock import DatabaseClock
from switchyard.messaging.messages import Heartbeat, Report
from tests.leader.memory_ports import MemoryClock


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


def test_a_session_whose_reports_are_missing_for_good_is_refused_once(clock: MemoryClock) -> None:
    refused: list[tuple[list[int], str]] = []

    def refuse(nodes: Collection[int], why: str) -> None:
        refused.append((sorted(nodes), why))

    gaps = rollback.Gaps(clock, refuse)
    for node in (1, 2):
        gaps.note([Report(node, "s", 5)], {1, 2})
    clock.seconds += rollback.PATIENCE / 2
    gaps.note([Report(1, "s", 6)], {1})
    gaps.note([Report(2, "s", 4)], set())
    gaps.step()
    assert refused == []
    clock.seconds += rollback.PATIENCE / 2
    gaps.step()
    gaps.step()
    assert refused == [([1], rollback.MISSING)]


def test_agents_that_obeyed_a_later_epoch_are_ahead() -> None:
    beats = [Heartbeat(node, "s", 1, {"inventory": {"command": number}}) for node, number in ((1, 3 << 32), (2, 4 << 32))]
    assert rollback.ahead([*beats, Heartbeat(3, "s", 1)], 3) == {2}


@pytest.mark.parametrize(("step", "moved"), [(0.0, []), (1.5, []), (300.0, [300.0]), (-60.0, [-60.0])])
def test_times_move_with_a_clock_that_is_set(clock: MemoryClock, step: float, moved: list[float]) -> None:
    ahead, moves = 1e9, list[float]()
    database = DatabaseClock(clock, lambda: clock.seconds + ahead, moves.append)
    database.follow()
    clock.seconds += 1
    database.follow()
    ahead += step
    for _ in range(2):
        clock.seconds += 1
        database.follow()
    assert moves == moved
