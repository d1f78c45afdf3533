"""Lock-out: passwords cannot be guessed without end, and nobody else is locked out by it."""

import base64
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.db.models import F
from django.test import Client
from pytest_django import Settings

from access import lockout
from access.models import Failures
from access.roles import Role
from tests.people import PASSWORD, as_, with_password

pytestmark = pytest.mark.django_db

ME = "/api/v1/me"


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    """Few, and quickly hashed: what counts is the counting."""
    settings.LOGIN_FAILURES = 3
    settings.LOGIN_FAILURES_OF_PEER = 5
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with_password(Role.VIEWER)
    with_password(Role.OPERATOR)


def basic(name: str, password: str, peer: str = "192.0.2.1", path: str = ME) -> Any:
    told = base64.b64encode(f"{name}:{password}".encode()).decode()
    return Client().get(path, headers={"Authorization": f"Basic {told}"}, REMOTE_ADDR=peer)


def log_in(name: str, password: str, peer: str = "192.0.2.1") -> Any:
    return Client().post("/ui/login", {"username": name, "password": password}, REMOTE_ADDR=peer)


def later(by: timedelta) -> None:
    Failures.objects.update(last_at=F("last_at") - by)


def test_account_is_locked_after_too_many_wrong_passwords_and_says_for_how_long() -> None:
    assert [basic("viewer", "wrong").status_code for _ in range(3)] == [401] * 3
    answer = basic("viewer", PASSWORD)
    assert answer.status_code == 429
    assert 800 < int(answer["Retry-After"]) <= 900
    assert answer.json()["errors"][0]["code"] == "locked_out"


def test_page_and_basic_authentication_count_together() -> None:
    for _ in range(3):
        assert log_in("viewer", "wrong").status_code == 200
    assert basic("viewer", PASSWORD, peer="192.0.2.9").status_code == 429
    answer = log_in("viewer", PASSWORD)
    assert answer.status_code == 429
    assert "Try again in 15 min" in answer.content.decode()
    assert int(answer["Retry-After"]) > 800


def test_plain_views_are_locked_as_well() -> None:
    for _ in range(3):
        basic("viewer", "wrong", path="/metrics")
    answer = basic("viewer", PASSWORD, path="/metrics")
    assert answer.status_code == 429
    assert answer["Retry-After"]


def test_others_are_not_locked_out() -> None:
    for _ in range(3):
        basic("viewer", "wrong")
    assert basic("operator", PASSWORD).status_code == 200


def test_tokens_and_sessions_of_a_locked_account_go_on(client: Client) -> None:
    client.login(username="viewer", password=PASSWORD)
    for _ in range(4):
        basic("viewer", "wrong")
    assert client.get(ME).status_code == 200
    assert Client().get(ME, headers=as_(Role.VIEWER)).status_code == 200


def test_peer_that_tries_many_accounts_is_locked_for_all() -> None:
    for number in range(5):
        basic(f"somebody{number}", "wrong")
    assert basic("viewer", PASSWORD).status_code == 429
    assert basic("viewer", PASSWORD, peer="192.0.2.2").status_code == 200


def test_addresses_of_one_network_are_one_peer() -> None:
    for number in range(5):
        basic(f"somebody{number}", "wrong", peer=f"2001:db8::{number}")
    assert basic("viewer", PASSWORD, peer="2001:db8::ffff").status_code == 429


def test_header_that_names_another_peer_changes_nothing() -> None:
    for number in range(5):
        told = base64.b64encode(f"somebody{number}:wrong".encode()).decode()
        headers = {"Authorization": f"Basic {told}", "X-Forwarded-For": f"198.51.100.{number}"}
        Client().get(ME, headers=headers, REMOTE_ADDR="192.0.2.1")
    assert basic("viewer", PASSWORD).status_code == 429


def test_lock_ends_and_the_count_begins_anew() -> None:
    for _ in range(3):
        basic("viewer", "wrong")
    later(lockout.LOCKED)
    assert basic("viewer", "wrong").status_code == 401
    assert basic("viewer", PASSWORD).status_code == 200


def test_right_password_begins_the_count_anew() -> None:
    for _ in range(2):
        for _ in range(2):
            basic("viewer", "wrong")
        assert basic("viewer", PASSWORD).status_code == 200


def test_what_is_tried_while_locked_does_not_prolong_it() -> None:
    for _ in range(3):
        basic("viewer", "wrong")
    before = Failures.objects.get(key="account viewer").last_at
    basic("viewer", "wrong")
    assert Failures.objects.get(key="account viewer").last_at == before


def test_nothing_is_kept_for_longer_than_it_counts() -> None:
    for number in range(8):
        lockout.note_failure(f"somebody{number}", f"192.0.2.{number}")
    later(lockout.LOCKED)
    for _ in range(2):
        lockout.note_failure("viewer", "192.0.2.1")
    assert set(Failures.objects.values_list("key", flat=True)) == {"account viewer", "peer 192.0.2.1"}


def test_limit_of_zero_is_none(settings: Settings) -> None:
    settings.LOGIN_FAILURES = settings.LOGIN_FAILURES_OF_PEER = 0
    assert {basic("viewer", "wrong").status_code for _ in range(6)} == {401}
    assert not Failures.objects.exists()


class Counted(MD5PasswordHasher):
    """Counts what it hashes, and how many at once."""

    running = most = total = 0

    def verify(self, password: str, encoded: str) -> bool:
        Counted.total += 1
        Counted.running += 1
        Counted.most = max(Counted.most, Counted.running)
        time.sleep(0.02)
        Counted.running -= 1
        return super().verify(password, encoded)

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Do nothing: verifying is all that counts here."""


class Overtaken(MD5PasswordHasher):
    """Hashes a password while others lock the account."""

    def verify(self, password: str, encoded: str) -> bool:
        for _ in range(3):
            lockout.note_failure("viewer", "192.0.2.9")
        return super().verify(password, encoded)


@pytest.mark.django_db(transaction=True)
def test_of_sixty_tries_at_once_only_those_are_hashed_that_are_allowed(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Counted"]
    together = Barrier(60)

    def attempt(number: int) -> int:
        try:
            together.wait(60)
            return int(basic("viewer", f"wrong {number}").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(together.parties) as threads:
        found = Counter(threads.map(attempt, range(together.parties)))
    assert found == {401: 3, 429: together.parties - 3}
    assert (Counted.total, Counted.most) == (3, 1)
    assert basic("viewer", PASSWORD).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_a_right_password_is_not_told_from_a_wrong_one_where_others_lock_the_account_meanwhile(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.Overtaken"]
    assert basic("viewer", PASSWORD).status_code == 429


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_all_counted(settings: Settings) -> None:
    settings.LOGIN_FAILURES, settings.LOGIN_FAILURES_OF_PEER = 24, 20

    def fail(_: int) -> bool:
        try:
            return lockout.note_failure("viewer", "192.0.2.1")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        allowed = list(threads.map(fail, range(24)))
    assert dict(Failures.objects.values_list("key", "count")) == {"account viewer": 24, "peer 192.0.2.1": 20}
    assert allowed.count(True) == 20
