"""IndexSet behaves like a set of ints, whatever its ranges."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchyard.scheduling.indexes import IndexSet

ints = st.frozensets(st.integers(0, 60))


def of(indexes: frozenset[int]) -> IndexSet:
    return IndexSet.from_indexes(indexes)


@given(ints, ints)
def test_algebra_agrees_with_sets_of_ints(left: frozenset[int], right: frozenset[int]) -> None:
    assert of(left) | of(right) == of(left | right)
    assert of(left) & of(right) == of(left & right)
    assert of(left) - of(right) == of(left - right)


@given(ints)
def test_size_truth_and_membership_agree_with_sets_of_ints(indexes: frozenset[int]) -> None:
    ours = of(indexes)
    assert list(ours) == sorted(indexes)
    assert len(ours) == len(indexes)
    assert bool(ours) == bool(indexes)
    assert {index for index in range(-1, 62) if index in ours} == indexes


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60))))
def test_any_ranges_become_sorted_ranges_that_never_touch(ranges: list[tuple[int, int]]) -> None:
    ours = IndexSet.of(ranges)
    assert set(ours) == {index for low, high in ranges for index in range(low, high)}
    assert all(low < high for low, high in ours.ranges)
    assert all(before[1] < after[0] for before, after in zip(ours.ranges, ours.ranges[1:], strict=False))


@given(ints, st.integers(-2, 70))
def test_take_splits_off_the_lowest(indexes: frozenset[int], count: int) -> None:
    first, rest = of(indexes).take(count)
    ordered = sorted(indexes)
    assert list(first) == ordered[: max(count, 0)]
    assert list(rest) == ordered[max(count, 0) :]


@given(ints)
def test_text_and_json_forms_round_trip(indexes: frozenset[int]) -> None:
    ours = of(indexes)
    assert IndexSet.from_multirange(ours.to_multirange()) == ours
    assert IndexSet.from_json(json.loads(json.dumps(ours.to_json()))) == ours


def test_text_form_is_that_of_postgresql() -> None:
    assert IndexSet().to_multirange() == "{}"
    assert IndexSet.of([(7, 9), (0, 5)]).to_multirange() == "{[0,5),[7,9)}"


@pytest.mark.parametrize("text", ["", "{", "[0,5)", "{(0,5)}", "{[0,5]}", "{[0,)}", "{[a,5)}", "{[1,2,3)}", "{[0,5),}"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="int4multirange"):
        IndexSet.from_multirange(text)


def test_span_is_empty_when_it_ends_before_it_begins() -> None:
    assert IndexSet.span(3, 5).ranges == ((3, 5),)
    assert not IndexSet.span(5, 5)
    assert not IndexSet.span(6, 5)


def test_thousands_of_ranges_stay_correct() -> None:
    even, thirds = set(range(0, 20_000, 2)), set(range(0, 20_000, 3))
    left, right = IndexSet.from_indexes(even), IndexSet.from_indexes(thirds)
    assert set(left & right) == even & thirds
    assert set(left | right) == even | thirds
    assert set(left - right) == even - thirds
    assert 19_998 in left
    assert 19_999 not in left
