"""Limits of what a request may ask of the database, so that it ends in an answer whatever holds its rows."""

from typing import Any

from django.db.backends.signals import connection_created

#: A submission of a million tasks takes some ten seconds.
REQUEST_SETTINGS = "SET lock_timeout = '10s'; SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'"


def limit() -> None:
    """Limit every connection that this process opens from now on."""
    connection_created.connect(_limit, dispatch_uid="limit requests")


def _limit(connection: Any, **_: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(REQUEST_SETTINGS)
