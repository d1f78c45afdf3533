"""Buffers: which tasks are let through, and for how long the others were held back."""

import hypothesis
import pytest
from hypothesis import strategies as st

from switchyard.scheduling.buffering import STEP, WINDOW, Mark, fed_alone, held_share, noted, through
from switchyard.scheduling.dag import feeds, inputs, waits
from switchyard.scheduling.indexes import IndexSet


def test_the_lowest_tasks_are_let_through_until_the_buffer_is_full() -> None:
    assert through(IndexSet(), 10, 3) == 3
    assert through(IndexSet.of([(0, 2), (4, 5)]), 10, 3) == 6
    assert through(IndexSet.span(0, 8), 10, 3) == 10


@pytest.mark.parametrize(("width", "others"), [(4, 4), (8, 4), (4, 8), (5, 3), (3, 5)])
def test_what_is_fed_by_some_tasks_alone_is_as_the_graph_says(width: int, others: int) -> None:
    for low in range(width):
        for high in range(low + 1, width + 1):
            alone = [j for j in range(others) if inputs(j, width, others)[0] >= low and inputs(j, width, others)[1] <= high]
            assert list(fed_alone(IndexSet.span(low, high), width, others)) == alone


@hypothesis.given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 5), st.randoms(use_true_random=False))
def test_in_whatever_order_tasks_end_all_are_let_through(width: int, others: int, spare: int, random: object) -> None:
    buffer = max(waits(j, width, others) for j in range(others)) + spare
    ended, begun = IndexSet(), IndexSet()
    while len(begun) < others:
        end = through(fed_alone(begun, others, width), width, buffer)
        can_end = [i for i in range(end) if i not in ended]
        can_begin = [j for j in range(others) if j not in begun and not IndexSet.span(*inputs(j, width, others)) - ended]
        assert can_end or can_begin, "nothing may stand still for ever"
        waiting = [i for i in ended if IndexSet.span(*feeds(i, width, others)) - begun]
        assert len(waiting) <= buffer
        chosen = random.choice([*((0, i) for i in can_end), *((1, j) for j in can_begin)])  # type: ignore[attr-defined]
        one = IndexSet.span(chosen[1], chosen[1] + 1)
        ended, begun = (ended, begun | one) if chosen[0] else (ended | one, begun)


def test_a_task_was_held_back_while_it_was_not_let_through() -> None:
    marks = [Mark(0, 2), Mark(1000, 5), Mark(1030, 9)]
    assert held_share(marks, 1, ready=0, now=1060) == 0
    assert held_share(marks, 3, ready=0, now=1000) == 1
    assert held_share(marks, 3, ready=0, now=1030) == 0.5
    assert held_share(marks, 7, ready=0, now=1045) == 0.75
    assert held_share(marks, 7, ready=1015, now=1045) == 0.25, "what is not ready is not held back"
    assert held_share(marks, 9, ready=1060, now=1060) == 0


def test_marks_are_few_and_look_back_as_far_as_ratios_do() -> None:
    marks: list[Mark] = []
    for n in range(10_000):
        marks = noted(marks, Mark(n / 100, n))
    assert len(marks) <= 2 * WINDOW / STEP
    assert marks[0].at <= 99.99 - WINDOW < marks[1].at
    assert marks[-1].through == 9999
