"""The arithmetic of pointwise exchanges is the same in SQL and in Python."""

import pytest

from database import rows
from jobs.store.pointwise import overlaps
from switchyard.scheduling.pointwise import overlapping

MOST = 12


@pytest.mark.django_db
def test_sql_and_python_say_the_same() -> None:
    told = rows.fetch(
        f"""SELECT w, n, i, array(
            SELECT o FROM generate_series(0, n - 1) AS o WHERE {overlaps("i", "w", "o", "n")} ORDER BY o)
        FROM generate_series(1, {MOST}) AS w, generate_series(1, {MOST}) AS n, generate_series(0, w - 1) AS i"""
    )
    assert len(told) == MOST * MOST * (MOST + 1) / 2
    for width, others, index, found in told:
        assert found == list(range(*overlapping(index, index + 1, width, others)))
