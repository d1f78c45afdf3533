"""Set-based SQL: the one way in which the main path reads and writes rows.

Django's client-side cursors and `bulk_update` cost many times more than the statements themselves; here statements are
prepared by the server and rows travel as arrays. It is the same connection, so `transaction.atomic` holds for both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

#: Errors of the connection or of a moment, not of what was asked.
TRANSIENT = (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError)
#: Of these, what fails again however often it is tried: a statement that takes too long, or asks for more than there may be.
_LASTING = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
    psycopg.errors.TooManyColumns,
    psycopg.errors.TooManyArguments,
)
#: The planner's statistics lag behind rows that come and go by the ten thousand; here an index is always right, and a
#: plan made once is as good as one made anew.
LEADER_SETTINGS = (
    "SET plan_cache_mode = force_generic_plan; "
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
    "SET lock_timeout = '2s'; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '30s'"
)

#: What stands in an array literal as it is written.
BARE = {int, float, bool, UUID}

T = TypeVar("T")
#: Waits for the answer to a question that was sent `together` with others.
Answer = Callable[[], T]


def is_transient(error: BaseException | None) -> bool:
    """Say whether the same may succeed at another time."""
    return isinstance(error, TRANSIENT) and not any(isinstance(each, _LASTING) for each in (error, error.__cause__))


def execute(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> psycopg.Cursor[Any]:
    """Run a statement that the server prepares once per connection.

    Inside `together` this returns at once; only what fetches from the cursor waits for the result.
    """
    return psycopg.Cursor(_open()).execute(statement, values, prepare=True)


def fetch(statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """Run a statement and return all its rows as tuples."""
    return execute(statement, values).fetchall()


def now() -> datetime:
    """Return the time by the database's clock, which all hosts share: that of the open transaction, if there is one."""
    ((found,),) = fetch("SELECT now()")
    return found  # type: ignore[no-any-return]


@contextmanager
def together() -> Iterator[None]:
    """Send what is executed meanwhile without waiting for each result, so that it costs one round trip.

    The first failure undoes the transaction and is raised where a result is fetched next, or at the end. A block inside
    another belongs to the outer one: psycopg waits at the start of a nested pipeline until all is answered, and does not
    write meanwhile, so that it waits for ever once more was asked than the socket takes at once.
    """
    connection = _open()
    if connection.pgconn.pipeline_status != psycopg.pq.PipelineStatus.OFF:
        yield
        return
    with connection.pipeline():
        yield


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[str]:
    """Turn rows into one array for each column, as `unnest` takes them."""
    return [array(column) for column in zip(*rows, strict=True)] or ["{}"] * width


def array(values: Iterable[Any]) -> str:
    """Write values as PostgreSQL's array literal: for a small part of what psycopg takes to look at each of them."""
    listed = list(values)
    kinds = set(map(type, listed))
    if kinds <= BARE:
        return "{" + ",".join(map(str, listed)) + "}"
    if kinds == {str} and "\\" not in (joined := '","'.join(listed)) and joined.count('"') == 2 * len(listed) - 2:
        return '{"' + joined + '"}'
    return "{" + ",".join(map(_element, listed)) + "}"


def repeated(runs: Iterable[tuple[int, int]]) -> str:
    """Write an array that holds each value so many times."""
    return "{" + "".join(f"{value}," * count for value, count in runs)[:-1] + "}"


def _open() -> psycopg.Connection[Any]:
    """Return the connection of this thread, a new one if it broke since the last request, as Django's cursors do."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    wrapper.close_if_health_check_failed()
    wrapper.ensure_connection()
    opened: psycopg.Connection[Any] = wrapper.connection
    return opened


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "NULL" if value is None else str(value)
