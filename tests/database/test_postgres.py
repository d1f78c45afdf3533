"""The backend: a kept connection is known to be gone, and asked for nothing while it stands."""

from collections.abc import Iterator
from select import POLLIN, poll
from typing import Any

import pytest
from django.db import connection

from database import rows

pytestmark = pytest.mark.django_db
MILLISECONDS = 10_000


@pytest.fixture
def other(db: None) -> Iterator[Any]:
    """Give a second connection to the same database."""
    other = connection.copy()
    other.ensure_connection()
    yield other
    other.close()


def test_a_connection_that_stands_is_not_asked(other: Any) -> None:
    other.connection.execute("SELECT 4711")
    assert other.is_usable()
    pid = other.connection.info.backend_pid
    assert rows.fetch("SELECT query FROM pg_stat_activity WHERE pid = %s", [pid]) == [("SELECT 4711",)]


def test_a_connection_that_the_server_ended_is_not_usable(other: Any) -> None:
    rows.fetch("SELECT pg_terminate_backend(%s)", [other.connection.info.backend_pid])
    told = poll()
    told.register(other.connection.fileno(), POLLIN)
    assert told.poll(MILLISECONDS)
    assert not other.is_usable()


def test_what_the_server_says_unasked_ends_nothing(other: Any) -> None:
    other.connection.execute("LISTEN news")
    speaker = connection.copy()
    with speaker.cursor() as cursor:
        cursor.execute("NOTIFY news")
    speaker.close()
    told = poll()
    told.register(other.connection.fileno(), POLLIN)
    assert told.poll(MILLISECONDS)
    assert other.is_usable()


def test_a_connection_that_is_closed_is_not_usable(other: Any) -> None:
    other.connection.close()
    assert not other.is_usable()
