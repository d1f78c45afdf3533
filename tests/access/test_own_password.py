"""People change their own password: with the old one, which counts toward the lock-out, and only where they logged in."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from access.models import AuditEntry
from access.roles import Role
from tests.people import PASSWORD, as_, with_password

pytestmark = pytest.mark.django_db

PAGE, CHANGED = "/ui/password", "/ui/password/changed"
NEW = "staple battery horse"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def viewer() -> Client:
    return logged_in(Role.VIEWER)


def logged_in(role: Role) -> Client:
    with_password(role)
    return entered(role)


def entered(role: Role, password: str = PASSWORD) -> Client:
    client = Client()
    assert client.login(username=role.value, password=password)
    return client


def change(client: Client, old: str = PASSWORD, new: str = NEW, repeated: str | None = None) -> Any:
    told = {"old_password": old, "new_password1": new, "new_password2": repeated or new}
    return client.post(PAGE, told, REMOTE_ADDR="192.0.2.1")


def test_header_leads_to_the_page_where_somebody_logged_in(viewer: Client) -> None:
    assert f'href="{PAGE}"' in viewer.get("/ui/").content.decode()
    assert PAGE not in Client(headers=as_(Role.VIEWER)).get("/ui/").content.decode()


def test_new_password_holds_and_the_old_one_no_more(viewer: Client) -> None:
    answer = change(viewer)
    assert (answer.status_code, answer["Location"]) == (302, CHANGED)
    assert "is changed" in viewer.get(CHANGED).content.decode()
    assert not Client().login(username="viewer", password=PASSWORD)
    entered(Role.VIEWER, NEW)


def test_this_session_goes_on_and_all_others_end(viewer: Client) -> None:
    other = entered(Role.VIEWER)
    change(viewer)
    assert viewer.get("/ui/").status_code == 200
    assert other.get("/ui/").status_code == 302


def test_change_is_in_the_audit_without_the_passwords(viewer: Client) -> None:
    change(viewer, new="short")
    change(viewer)
    (entry,) = AuditEntry.objects.all()
    assert (entry.user_name, entry.via, entry.action, entry.target) == ("viewer", "session", "user.change", "viewer")
    assert entry.details == {"changed": ["password"]}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"old": "wrong"}, "old password was entered incorrectly"),
        ({"repeated": "staple battery mouse"}, "password fields didn’t match"),
        ({"new": "short"}, "too short"),
        ({"new": "password123"}, "too common"),
        ({"old": "a\0b"}, "Null characters are not allowed"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_what_is_wrong_is_said_and_changes_nothing(viewer: Client, told: dict[str, str], said: str) -> None:
    answer = change(viewer, **told)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    entered(Role.VIEWER)


def test_wrong_old_passwords_lock_the_account_out(viewer: Client, settings: Settings) -> None:
    settings.LOGIN_FAILURES = 3
    for _ in range(3):
        assert change(viewer, old="wrong").status_code == 200
    answer = change(viewer)
    assert answer.status_code == 429
    assert "Try again in 15 min" in answer.content.decode()
    assert int(answer["Retry-After"]) > 800
    assert Client().post("/ui/login", {"username": "viewer", "password": PASSWORD}).status_code == 429
    assert viewer.get("/ui/").status_code == 200


def test_new_password_is_not_looked_at_as_a_guess(viewer: Client, settings: Settings) -> None:
    settings.LOGIN_FAILURES = 1
    change(viewer, new="short")
    assert change(viewer).status_code == 302


@pytest.mark.parametrize("path", [PAGE, CHANGED])
def test_who_has_not_logged_in_is_led_there(path: str) -> None:
    for client in (Client(), Client(headers=as_(Role.ADMIN))):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/ui/login?next={path}")


def test_token_beside_a_session_changes_no_password(viewer: Client) -> None:
    told = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert viewer.post(PAGE, told, headers=as_(Role.ADMIN)).status_code == 302
    assert User.objects.get(username="viewer").check_password(PASSWORD)


def test_page_of_another_site_changes_no_password() -> None:
    with_password(Role.VIEWER)
    client = Client(enforce_csrf_checks=True)
    assert client.login(username="viewer", password=PASSWORD)
    assert change(client).status_code == 403
    entered(Role.VIEWER)


def test_admin_leads_to_the_same_page() -> None:
    answer = logged_in(Role.ADMIN).get("/admin/password_change/")
    assert (answer.status_code, answer["Location"]) == (302, PAGE)
