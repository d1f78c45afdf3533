"""Tests of the tests: whatever a test commits, the next one finds what the migrations left."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.db import connection

from access.roles import Role, grant
from jobs.models import Job, Lease
from nodes.models import Node, Scheduler
from tests import emptying
from tests.jobs.conftest import agent, job, leader
from tests.people import user_in

__all__ = ["agent", "job", "leader"]


def filled() -> set[str]:
    """Return the tables that have rows."""
    with connection.cursor() as cursor:
        found = set()
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            if cursor.fetchone() == (True,):
                found.add(table)
    return found


@pytest.mark.parametrize("large", [0, emptying.LARGE_BYTES])
def test_nothing_is_left_but_what_the_migrations_made(
    monkeypatch: pytest.MonkeyPatch, agent: object, job: Callable[..., Job], large: int
) -> None:
    monkeypatch.setattr(emptying, "LARGE_BYTES", large)
    job({"a": {"parallelism": 3}, "b": {"needs": ["a"]}})
    grant(user_in(Role.OPERATOR), Role.ADMIN)
    permissions = Permission.objects.count()
    assert {"jobs_task", "nodes_node", "auth_user_groups"} <= filled()
    emptying.empty()
    assert filled() == {*emptying.KEPT, "jobs_lease", "nodes_scheduler", "nodes_historicalscheduler"}
    assert (Lease.objects.count(), Scheduler.objects.count(), Node.objects.count()) == (1, 1, 0)
    assert Permission.objects.count() == permissions > 0
