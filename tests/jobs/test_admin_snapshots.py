"""Pages of the admin are of one moment, as the API, the pages and the wires are."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from access.roles import Role, grant
from jobs.leader.loop import Leader
from jobs.models import Job
from tests.api.test_snapshots import Meanwhile, told
from tests.jobs.agents import ListAgent, turn


@pytest.fixture
def admin(leader: Leader) -> Client:
    user = User.objects.create_user("admin")
    grant(user, Role.ADMIN)
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", ["/admin/jobs/job/", "/admin/jobs/job/{id}/change/"])
def test_a_job_that_ends_meanwhile_is_shown_as_before(
    admin: Client, job: Callable[..., Job], leader: Leader, agent: ListAgent, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    path = path.format(id=job({"a": {"parallelism": 2}}).id)
    turn(leader)
    agent.listen()
    turn(leader, agent.start(agent.tasks()))
    before = told(admin, path)
    with Meanwhile(monkeypatch).an_answer(lambda: turn(leader, agent.finish(agent.tasks(), "7"))):
        during = told(admin, path)
    assert during == before
    assert told(admin, path) != before
    assert not connection.in_atomic_block
