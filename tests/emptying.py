"""Emptying the test's database after a test that commits, at a fraction of what Django's flush takes.

A flush truncates all tables, which makes all their files anew, and then makes the rows of all permissions again.
"""

from datetime import UTC, datetime
from functools import cache

from django.db import connection, transaction

#: What describes the models: the same for all tests.
KEPT = {"django_content_type", "auth_permission", "django_migrations"}
#: Above this size of any table, its rows and their remains are not worth visiting one by one.
LARGE_BYTES = 4 * 1024 * 1024


def empty() -> None:
    """Empty all tables but those that describe the models, and put back the rows that migrations make."""
    from jobs.models import Lease
    from nodes.models import Scheduler

    tables = _tables()
    with transaction.atomic(), connection.cursor() as cursor:
        # As for a flush: a statement whose process was killed may still be under way, and must not come after this.
        cursor.execute(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_statement(_largest(tables)))
    Lease.objects.get_or_create(id=1, defaults={"expires_at": datetime.fromtimestamp(0, UTC)})
    Scheduler.objects.get_or_create(id=1)


@cache
def _tables() -> list[str]:
    return sorted(set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - KEPT)


def _largest(tables: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(pg_relation_size(name::regclass)) FROM unnest(%s::text[]) name", [tables])
        [size] = cursor.fetchone()
    return int(size)


def _statement(largest: int) -> str:
    if largest > LARGE_BYTES:
        return f"TRUNCATE {', '.join(_tables())}"
    # The order in which rows go that refer to each other is of no interest.
    deletions = "; ".join(f"DELETE FROM {table}" for table in _tables())
    return f"SET LOCAL session_replication_role = replica; {deletions}; SET LOCAL session_replication_role = origin"
