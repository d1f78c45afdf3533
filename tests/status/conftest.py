"""What tests of pages share: people of each role, a cluster, and jobs that ran some way."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from access.roles import Role, grant
from tests.jobs.conftest import agent, job, leader

__all__ = ["agent", "job", "leader"]

As = Callable[[Role | None], Client]


@pytest.fixture
def logged_in(transactional_db: None) -> As:
    """Give a client that is logged in with a role, or with none."""

    def make(role: Role | None) -> Client:
        user = User.objects.create_user(f"the-{role}", password="secret")
        if role:
            grant(user, role)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def viewer(logged_in: As) -> Client:
    """Give a client of a viewer."""
    return logged_in(Role.VIEWER)


@pytest.fixture
def operator(logged_in: As) -> Client:
    """Give a client of an operator."""
    return logged_in(Role.OPERATOR)
