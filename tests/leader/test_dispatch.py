"""Commands: described once to a session, and sent again until they are confirmed, unless they wait in the broker."""

import pytest

from switchyard.leader.dispatch import DEAF, QUEUED, WAITING, Dispatcher
from switchyard.leader.unconfirmed import LONGEST
from tests.leader.memory_ports import Surroundings

EPOCH = 3


@pytest.fixture
def around() -> Surroundings:
    return Surroundings()


@pytest.fixture
def dispatcher(around: Surroundings) -> Dispatcher:
    return Dispatcher(EPOCH, around.ports)


def launch(dispatcher: Dispatcher, around: Surroundings, id_: int, session: str = "one") -> int:
    """Launch an assignment; return the number of the command."""
    row = around.lists.add(id_, session=session)
    dispatcher.dispatch([row], dispatcher.ask([row])(), [])
    return around.outbox.commands[-1].number


def test_numbers_grow_and_begin_with_the_epoch(dispatcher: Dispatcher, around: Surroundings) -> None:
    numbers = [launch(dispatcher, around, 1), launch(dispatcher, around, 2, session="two"), launch(dispatcher, around, 3)]
    assert [number >> 32 for number in numbers] == [EPOCH] * 3
    assert numbers == sorted(set(numbers))


def test_a_session_is_told_of_a_stage_once_and_again_when_its_list_is_sent_anew(
    dispatcher: Dispatcher, around: Surroundings
) -> None:
    launch(dispatcher, around, 1)
    [row] = around.lists.rows
    dispatcher.dispatch([row], dispatcher.ask([row])(), [])
    dispatcher.send_all()
    assert [list(command.stages) for command in around.outbox.commands] == [[1], [], [1]]


def test_what_is_not_confirmed_is_sent_again_later_and_later(dispatcher: Dispatcher, around: Surroundings) -> None:
    begun = around.clock.seconds
    number = launch(dispatcher, around, 1)
    around.outbox.take()
    times = []
    while around.clock.seconds < begun + 5 * LONGEST:
        around.clock.seconds += 0.5
        dispatcher.resend(around.clock.seconds, {}, {})
        for command in around.outbox.take():
            assert command.number > number
            times.append(around.clock.seconds - begun)
            number = command.number
    waits = [later - sooner for sooner, later in zip([0.0, *times], times, strict=False)]
    assert waits[0] == 1.5
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST + 0.5


def test_what_is_confirmed_or_gone_is_not_sent_again(dispatcher: Dispatcher, around: Surroundings) -> None:
    number = launch(dispatcher, around, 1)
    launch(dispatcher, around, 2, session="two")
    around.lists.rows.pop()
    around.outbox.take()
    dispatcher.confirm("one", [number], 7)
    around.clock.seconds += 100
    dispatcher.resend(around.clock.seconds, {}, {})
    assert around.outbox.take() == []
    assert dispatcher.unconfirmed() == set()


def test_nothing_is_added_to_what_waits_in_the_broker(dispatcher: Dispatcher, around: Surroundings) -> None:
    launch(dispatcher, around, 1)
    around.outbox.take()
    around.outbox.queued["one"] = WAITING
    around.clock.seconds += 100
    dispatcher.resend(around.clock.seconds, {"one": [[1, 0, [[0, 1]]]]}, {"one": 5})
    assert around.outbox.take() == []
    around.outbox.queued.clear()
    dispatcher.resend(around.clock.seconds, {"one": [[1, 0, [[0, 1]]]]}, {"one": 5})
    again, ending = around.outbox.take()
    assert len(again.launches) == 1
    assert (ending.cancels, ending.pause) == ([[1, 0, [[0, 1]]]], 5)


def test_a_session_that_confirms_nothing_for_long_is_deaf_until_it_does(dispatcher: Dispatcher, around: Surroundings) -> None:
    number = launch(dispatcher, around, 1)
    assert dispatcher.deaf(around.clock.seconds + DEAF) == set()
    assert dispatcher.deaf(around.clock.seconds + DEAF + 1) == {"one"}
    dispatcher.confirm("one", [number], 0)
    assert dispatcher.deaf(around.clock.seconds + DEAF + 1) == set()


def test_nobody_is_deaf_to_what_does_not_leave(dispatcher: Dispatcher, around: Surroundings) -> None:
    launch(dispatcher, around, 1)
    dispatcher.mute = True
    around.clock.seconds += 100
    dispatcher.resend(around.clock.seconds, {}, {})
    assert dispatcher.deaf(around.clock.seconds + DEAF) == set()


def test_descriptions_are_short_once_many_wait_for_a_word(dispatcher: Dispatcher, around: Surroundings) -> None:
    around.descriptions.size = QUEUED // 3
    numbers = [launch(dispatcher, around, id_) for id_ in range(1, 5)]
    told = [command.stages[id_] for id_, command in enumerate(around.outbox.take(), 1)]
    assert [stage.get("left_out", False) for stage in told] == [False, False, True, True]
    dispatcher.confirm("one", numbers, 0)
    launch(dispatcher, around, 5)
    assert "left_out" not in around.outbox.commands[-1].stages[5]


def test_what_is_acknowledged_goes_with_each_command(dispatcher: Dispatcher, around: Surroundings) -> None:
    dispatcher.confirm("one", [], 7)
    dispatcher.hear("one", 9)
    dispatcher.dispatch([], {}, ["one"])
    [command] = around.outbox.commands
    assert (command.acknowledged, command.heartbeat) == (7, 9)


def test_a_session_that_went_on_from_another_is_sent_its_list(dispatcher: Dispatcher, around: Surroundings) -> None:
    around.lists.add(1)
    around.lists.add(2, node=2, session="two")
    around.lists.successors = {"two"}
    dispatcher.keep({"one", "two"})
    assert [command.session for command in around.outbox.take()] == ["two"]
    dispatcher.keep({"one"})
    assert around.outbox.deleted == {"two"}
    assert dispatcher.unconfirmed() == set()
