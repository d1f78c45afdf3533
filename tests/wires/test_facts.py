"""What agents tell of their machines, whatever it is."""

import pytest

from wires import facts


@pytest.mark.parametrize("told", [None, "x", -1, float("nan"), [], {}])
def test_what_is_no_number_is_0(told: object) -> None:
    assert facts.number(told) == 0


@pytest.mark.parametrize("told", [1e400, 2**80, 1e30])
def test_what_is_too_large_is_the_largest(told: object) -> None:
    assert facts.number(told) == facts.size(told) == facts.LARGEST
    assert facts.count(told) == facts.MOST
