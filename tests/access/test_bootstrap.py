"""What `make up` relies on: bootstrap makes what is missing, once, and says what it made."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command

from access import tokens
from access.roles import Role, role_of

pytestmark = pytest.mark.django_db


def bootstrap(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("bootstrap", "--json", *options, stdout=out)
    made: dict[str, Any] = json.loads(out.getvalue())
    return made


def test_first_run_makes_an_admin_who_can_log_in() -> None:
    user = authenticate(username="admin", password=bootstrap()["admin_password"])
    assert user is not None
    assert role_of(user) is Role.ADMIN


def test_tokens_that_it_prints_are_valid() -> None:
    made = bootstrap()
    found = [tokens.find(made[name]) for name in ("token", "node_token")]
    assert [token and token.role for token in found] == [Role.ADMIN, Role.AGENT]


def test_second_run_makes_nothing() -> None:
    bootstrap()
    assert bootstrap() == {"admin_password": None, "token": None, "node_token": None}


def test_renewing_replaces_both_tokens_and_keeps_the_password() -> None:
    old, new = bootstrap(), bootstrap("--renew")
    assert new["admin_password"] is None
    assert tokens.find(old["token"]) is None
    assert tokens.find(old["node_token"]) is None
    assert tokens.find(new["token"]) is not None
