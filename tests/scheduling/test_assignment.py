"""The one rule for granting entries of a list: never over the room, in order, alike on both sides."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.assignment import how_many, promote


@dataclass
class Item:
    waiting: int
    demand: dict[str, int] = field(default_factory=lambda: {"cpus": 1000})
    startable: bool = True


ITEMS = st.lists(
    st.builds(
        Item,
        waiting=st.integers(0, 5),
        demand=st.fixed_dictionaries({"cpus": st.integers(0, 3)}, optional={"mem": st.integers(1, 4)}),
        startable=st.booleans(),
    ),
    max_size=8,
)
ROOM = st.fixed_dictionaries({"cpus": st.integers(0, 8), "mem": st.integers(0, 8)})


def test_it_grants_what_fits_in_order() -> None:
    first, second = Item(3), Item(2)
    assert promote([first, second], {"cpus": 4000}) == [(first, 3), (second, 1)]


def test_nothing_overtakes_an_entry_that_does_not_fit() -> None:
    big, small = Item(1, {"cpus": 3000}), Item(1)
    assert promote([big, small], {"cpus": 2000}) == []


def test_what_waits_for_others_is_passed_over() -> None:
    later, now = Item(1, startable=False), Item(1)
    assert promote([later, now], {"cpus": 1000}) == [(now, 1)]


def test_a_task_without_a_demand_always_fits() -> None:
    assert how_many({}, {}) > 1000


@given(ITEMS, ROOM)
def test_grants_never_exceed_the_room(items: list[Item], room: dict[str, int]) -> None:
    granted = promote(items, room)
    for name in room:
        assert sum(item.demand.get(name, 0) * count for item, count in granted) <= room[name]
    assert all(0 < count <= item.waiting and item.startable for item, count in granted)


@given(ITEMS, ROOM)
def test_what_is_left_waiting_first_does_not_fit(items: list[Item], room: dict[str, int]) -> None:
    granted = {id(item): count for item, count in promote(items, room)}
    left = dict(room)
    for item in items:
        for name, amount in item.demand.items():
            left[name] = left[name] - amount * granted.get(id(item), 0)
    waiting = [item for item in items if item.startable and item.waiting > granted.get(id(item), 0)]
    assert not waiting or how_many(waiting[0].demand, left) == 0


@given(ITEMS, ROOM, st.data())
def test_two_sides_that_see_ends_in_different_portions_agree(
    items: list[Item], room: dict[str, int], data: st.DataObject
) -> None:
    """The agent grants at each end, the server once a report: after the same ends both have granted the same."""
    portions = data.draw(st.integers(1, 4))
    at_once = {id(item): count for item, count in promote(items, room)}
    stepwise: dict[int, int] = {}
    left = dict.fromkeys(room, 0)
    for step in range(portions):
        for name, amount in room.items():
            left[name] += amount // portions if step else amount - (portions - 1) * (amount // portions)
        rest = [Item(item.waiting - stepwise.get(id(item), 0), item.demand, item.startable) for item in items]
        for taken, count in promote(rest, left):
            original = items[next(at for at, item in enumerate(rest) if item is taken)]
            stepwise[id(original)] = stepwise.get(id(original), 0) + count
            for name, amount in taken.demand.items():
                left[name] -= amount * count
    assert {key: count for key, count in stepwise.items() if count} == at_once
