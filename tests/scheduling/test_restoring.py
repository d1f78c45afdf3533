"""Lists that tasks have saved, shared out among another number of tasks."""

from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.lifecycle.restoring import share_out


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.integers(1, 12))
def test_each_element_is_shared_out_once_in_order_and_evenly(lengths: list[int], tasks: int) -> None:
    lists = [[(source, element) for element in range(length)] for source, length in enumerate(lengths)]
    shares = share_out(lengths, tasks)
    given_to = []
    for parts in shares:
        found: list[tuple[int, int]] = []
        for part in parts:
            assert part.at == len(found)
            found += lists[part.source][part.low : part.high]
        given_to.append(found)
    assert [element for found in given_to for element in found] == [element for each in lists for element in each]
    assert max(map(len, given_to)) - min(map(len, given_to)) <= 1
    assert all(parts for parts in shares)


def test_many_lists_take_no_more_than_their_number() -> None:
    shares = share_out([1] * 100_000, 200_000)
    assert sum(len(parts) for parts in shares) == 200_000
