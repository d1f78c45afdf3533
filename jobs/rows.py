"""Set-based SQL: the one way in which the main path reads and writes rows.

Django's client-side cursors and `bulk_update` cost many times more than the statements themselves; here statements are
prepared by the server and rows travel as arrays. It is the same connection, so `transaction.atomic` holds for both.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection

#: Errors of the connection or of a moment, not of what was asked.
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError)
#: The planner's statistics lag behind rows that come and go by the ten thousand; here an index is always right.
LEADER_SETTINGS = (
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET lock_timeout = '2s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'"
)


def execute(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> psycopg.Cursor[Any]:
    """Run a statement that the server prepares once per connection."""
    connection.ensure_connection()
    return psycopg.Cursor(connection.connection).execute(statement, values, prepare=True)


def fetch(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """Run a statement and return all its rows as tuples."""
    return execute(statement, values).fetchall()


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Turn rows into one list per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]
