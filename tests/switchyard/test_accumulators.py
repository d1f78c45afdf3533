"""What a task adds up: sums, averages and histograms, each name of one kind."""

from typing import Any

import numpy
import pytest

from switchyard.task import Task


def added(*values: Any, kind: str | None = None) -> Any:
    task = Task(0, 1)
    for value in values:
        task.accumulate("x", value, kind)
    assert task.accumulators is not None
    return task.accumulators["x"]


def test_without_a_kind_numbers_are_summed_up() -> None:
    assert added(1, 2) == 3
    assert added(1, 0.5) == 1.5


def test_scalars_of_numpy_are_numbers() -> None:
    assert repr(added(numpy.int64(1), numpy.int32(2))) == "3"
    assert repr(added(numpy.float32(0.5))) == "0.5"
    assert repr(added(numpy.int64(2), 2, kind="histogram")) == "{'histogram': {'2': 2}}"
    task = Task(0, 1)
    task.metric("rows", numpy.int64(3))
    task.progress(numpy.float64(0.5))
    assert repr(task.metrics) == "{'rows': 3, 'progress': 0.5}"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("int", {"int": 9}),
        ("long", {"long": 9}),
        ("double", {"double": 9.0}),
        ("average", {"average": [9, 3]}),
        ("histogram", {"histogram": {"2": 2, "5": 1}}),
    ],
)
def test_of_each_kind_is_kept_what_it_needs(kind: str, told: Any) -> None:
    assert added(2, 5, 2, kind=kind) == told
    assert repr(added(2, 5, 2, kind=kind)) == repr(told)


@pytest.mark.parametrize(
    ("kind", "values", "complaint"),
    [
        ("int", [1.5], "x must be a whole number, not 1.5"),
        ("long", [True], "x must be a whole number, not True"),
        ("histogram", ["a"], "x must be a whole number, not 'a'"),
        ("double", [float("nan")], "x must be a finite number, not nan"),
        ("average", [None], "x must be a finite number, not None"),
        ("int", [2**31 - 1, 1], "x does not fit in 32 bits any more: use the kind long"),
        ("median", [1], "the kind of x must be one of int, long, double, average, histogram, not 'median'"),
    ],
)
def test_what_does_not_fit_its_kind_is_refused(kind: str, values: list[Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        added(*values, kind=kind)


def test_a_name_is_of_one_kind() -> None:
    task = Task(0, 1)
    task.accumulate("sum", 1)
    task.accumulate("sizes", 1, kind="histogram")
    with pytest.raises(ValueError, match="sum is a plain sum, not of the kind 'long'"):
        task.accumulate("sum", 1, kind="long")
    with pytest.raises(ValueError, match="sizes is of the kind 'histogram', not 'long'"):
        task.accumulate("sizes", 1, kind="long")
    with pytest.raises(ValueError, match="sizes is of the kind 'histogram': say so each time"):
        task.accumulate("sizes", 1)
    assert task.accumulators == {"sum": 1, "sizes": {"histogram": {"1": 1}}}


def test_what_is_refused_leaves_nothing_behind() -> None:
    task = Task(0, 1)
    with pytest.raises(ValueError, match="finite"):
        task.accumulate("x", float("inf"))
    assert task.accumulators is None
