"""How much may wait on a list: bounded by entries, by measured work, and doubling while unmeasured."""

from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.backlog import Measure, Queue, allowance, share, spread

CPU = {"cpus": 1000}


def queue(entries: int = 0, seconds: float = 0.0) -> Queue:
    return Queue(1, {"cpus": 2000}, entries, seconds)


def test_an_unmeasured_stage_begins_with_sixteen_a_slot() -> None:
    assert allowance(queue(), CPU, Measure(), 0) == 32
    assert allowance(queue(), CPU, Measure(), 30) == 2


def test_the_allowance_doubles_with_what_has_finished() -> None:
    assert allowance(queue(), CPU, Measure(20, 0.0002), 0) == 80


def test_no_more_waits_than_a_fifth_of_a_second_of_work_a_slot() -> None:
    assert allowance(queue(), CPU, Measure(1000, 10.0), 0) == 40
    assert allowance(queue(10, 0.1), CPU, Measure(1000, 10.0), 10) == 30


def test_long_tasks_do_not_wait_on_lists() -> None:
    assert allowance(queue(), CPU, Measure(10, 3.0), 0) == 0


def test_a_list_never_grows_beyond_its_limit() -> None:
    assert allowance(queue(2048), CPU, Measure(10_000, 0.001), 2048) == 0


@given(st.integers(0, 500), st.lists(st.integers(0, 100), max_size=10))
def test_shares_add_up_and_stay_within_what_is_allowed(count: int, allowances: list[int]) -> None:
    shares = share(count, allowances)
    assert sum(shares) == min(count, sum(allowances))
    assert all(0 <= given <= allowed for given, allowed in zip(shares, allowances, strict=True))


@given(st.integers(0, 500), st.lists(st.tuples(st.integers(0, 100), st.integers(1, 8)), max_size=10))
def test_what_is_spread_adds_up_and_stays_within_what_is_allowed(count: int, lists: list[tuple[int, int]]) -> None:
    allowances = dict(enumerate(allowed for allowed, _ in lists))
    shares = spread(count, ((node, allowances[node], slots) for node, (_, slots) in enumerate(lists)))
    assert all(0 < given <= allowances[node] for node, given in shares)
    assert sum(given for _, given in shares) == min(count, sum(allowances.values()))


def test_a_few_tasks_go_to_the_first_lists_two_for_every_slot() -> None:
    lists = [("a", 16, 2), ("b", 0, 2), ("c", 16, 2), ("d", 9, 2)]
    assert spread(8, lists) == [("a", 4), ("c", 4)]
    assert spread(100, lists) == [("a", 16), ("c", 16), ("d", 9)]
