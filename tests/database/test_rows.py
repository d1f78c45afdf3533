"""Rows as the main path reads and writes them."""

from threading import Thread
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import rows

pytestmark = pytest.mark.django_db
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(st.none(), TEXTS, st.sampled_from(["NULL", "{}", '"', "\\", "a,b", " "]))))
def test_texts_arrive_as_they_are(texts: list[str | None]) -> None:
    assert rows.fetch("SELECT %s::text[]", [rows.array(texts)]) == [(texts,)]


def test_rows_arrive_as_columns() -> None:
    values = [(1, True, 0.1, None), (2**62, False, float("inf"), "x")]
    statement = "SELECT * FROM unnest(%s::bigint[], %s::bool[], %s::float8[], %s::text[])"
    assert rows.fetch(statement, rows.columns(values, 4)) == values
    assert rows.fetch(statement, rows.columns([], 4)) == []


def test_a_statement_is_prepared_once() -> None:
    statement = "SELECT %s::int + 4711"
    for number in range(3):
        assert rows.fetch(statement, [number]) == [(number + 4711,)]
    known = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%% + 4711'"
    assert rows.fetch(known) == [(1,)]


def test_what_is_sent_together_is_answered_in_any_order() -> None:
    with rows.together():
        first, second = rows.execute("SELECT 1"), rows.execute("SELECT 2")
        assert (second.fetchall(), first.fetchall()) == ([(2,)], [(1,)])


@pytest.mark.django_db(transaction=True)
def test_a_failure_among_what_is_sent_together_undoes_all() -> None:
    def attempt() -> Any:
        with transaction.atomic(), rows.together():
            rows.execute("UPDATE jobs_lease SET epoch = epoch + 1")
            rows.execute("SELECT 1 / %s", [0])
            rows.execute("UPDATE jobs_lease SET epoch = epoch + 1")

    before = rows.fetch("SELECT epoch FROM jobs_lease")
    with pytest.raises(psycopg.errors.DivisionByZero):
        attempt()
    assert rows.fetch("SELECT epoch FROM jobs_lease") == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sent", ["before the inner block", "in the inner block"])
def test_a_block_in_another_takes_any_amount(sent: str) -> None:
    large, backends, found = "x" * 8_000_000, list[int](), list[Any]()

    def nested() -> None:
        backends.extend(*rows.fetch("SELECT pg_backend_pid()"))
        with transaction.atomic(), rows.together():
            first = rows.execute("SELECT length(%s::text)", [large if "before" in sent else "x"])
            with rows.together():
                second = rows.execute("SELECT length(%s::text)", [large])
            found.extend([first.fetchall(), second.fetchall()])
        connection.close()

    worker = Thread(target=nested, daemon=True)
    worker.start()
    worker.join(30)
    if worker.is_alive():
        rows.fetch("SELECT pg_terminate_backend(%s)", backends)
        worker.join(30)
    assert found == [[(len(large) if "before" in sent else 1,)], [(len(large),)]]
