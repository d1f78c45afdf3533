"""What is at fault when an attempt fails."""

import pytest

from switchyard.scheduling.failing import CATEGORIES, Category, category
from switchyard.scheduling.retry import ExitClass, Failure

WRONG = Failure(ExitClass.USER_ERROR, 3, ("work.InvalidData", "builtins.ValueError"))


def test_every_class_of_ends_has_a_category() -> None:
    assert set(CATEGORIES) == set(ExitClass)
    assert category(WRONG, {}) == Category.ALGORITHM
    assert category(Failure(ExitClass.LOST), {}) == Category.SYSTEM


@pytest.mark.parametrize("name", ["3", "work.InvalidData", "InvalidData", "ValueError", "user_error"])
def test_a_type_of_jobs_may_know_better(name: str) -> None:
    assert category(WRONG, {name: "data", "timeout": "system"}) == Category.DATA


def test_the_most_exact_name_decides() -> None:
    assert category(WRONG, {"user_error": "system", "ValueError": "algorithm", "InvalidData": "data"}) == Category.DATA
