"""The admin of people: admins make users and tokens there, everything they do is in the audit, which nobody can change."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from access import audit, lockout, tokens
from access.identifying import Identity
from access.models import AuditEntry, Token
from access.roles import Role, grant, role_of

pytestmark = pytest.mark.django_db

USERS, TOKENS, AUDIT = "/admin/auth/user/", "/admin/access/token/", "/admin/access/auditentry/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada() -> User:
    user = User.objects.create_user("ada")
    grant(user, Role.ADMIN)
    return user


@pytest.fixture
def admin(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


def make(admin: Client, name: str = "bob", role: str = "operator", password: str = PASSWORD) -> Any:
    told = {"username": name, "usable_password": "true", "password1": password, "password2": password, "role": role}
    return admin.post(f"{USERS}add/", told)


def change(admin: Client, user: User, **told: str) -> Any:
    return admin.post(f"{USERS}{user.pk}/change/", {"username": user.username, **told})


def act(admin: Client, rows: str, action: str, *keys: object) -> str:
    data = {"action": action, "_selected_action": [str(key) for key in keys]}
    return admin.post(rows, data, follow=True).content.decode()


def audited() -> list[tuple[str, str, Any]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "target", "details"))


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_user_is_made_with_a_role_and_can_log_in(admin: Client, client: Client, role: str) -> None:
    assert make(admin, role=role).status_code == 302
    user = User.objects.get(username="bob")
    assert (role_of(user), user.is_superuser) == (role, False)
    assert client.login(username="bob", password=PASSWORD)
    assert audited() == [("user.create", "bob", {"role": role})]


@pytest.mark.parametrize("password", ["short", "12345678901", "password123"])
def test_password_that_is_easily_guessed_is_refused(admin: Client, password: str) -> None:
    assert "errorlist" in make(admin, password=password).content.decode()
    assert not User.objects.filter(username="bob").exists()


def test_role_is_changed_and_the_old_one_gone(admin: Client) -> None:
    make(admin, role="admin")
    user = User.objects.get(username="bob")
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    change(admin, user, role="viewer", is_active="on")
    assert role_of(User.objects.get(username="bob")) is Role.VIEWER
    assert audited()[-1] == ("user.change", "bob", {"changed": ["role"], "role": "viewer", "active": True})


def test_user_who_is_deactivated_is_out_at_once(admin: Client) -> None:
    make(admin)
    user = User.objects.get(username="bob")
    client = Client()
    client.force_login(user)
    secret = tokens.create("t", role=Role.OPERATOR, owner=user)[1]
    change(admin, user, role="operator")
    assert client.get("/api/v1/me").status_code == 401
    assert Client(headers={"Authorization": f"Token {secret}"}).get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("told", [{"role": "viewer", "is_active": "on"}, {"role": "admin"}])
def test_nobody_locks_himself_out(admin: Client, ada: User, told: dict[str, str]) -> None:
    assert "Another admin has to do this" in change(admin, ada, **told).content.decode()
    ada.refresh_from_db()
    assert (role_of(ada), ada.is_active) == (Role.ADMIN, True)


def test_password_is_changed_and_sessions_with_the_old_one_end(admin: Client) -> None:
    make(admin)
    user = User.objects.get(username="bob")
    client = Client()
    client.login(username="bob", password=PASSWORD)
    new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    assert admin.post(f"{USERS}{user.pk}/password/", new | {"set-password": "1"}).status_code == 302
    assert client.get("/api/v1/me").status_code == 401
    assert audited()[-1][:2] == ("user.change", "bob")
    assert "horse" not in str(audited())


def test_users_are_not_deleted_and_groups_not_edited(admin: Client, ada: User) -> None:
    assert admin.post(f"{USERS}{ada.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get("/admin/auth/group/").status_code == 404


def test_account_that_is_locked_is_let_in_again(admin: Client, settings: Settings) -> None:
    make(admin)
    settings.LOGIN_FAILURES = 1
    lockout.note_failure("bob", "192.0.2.1")
    assert "account bob" in admin.get("/admin/access/failures/").content.decode()
    act(admin, USERS, "let_in", User.objects.get(username="bob").pk)
    assert lockout.seconds_locked("bob", "192.0.2.1") == 0
    assert audited()[-1][:2] == ("user.let_in", "bob")


def test_token_is_shown_once_and_works(admin: Client, ada: User) -> None:
    answer = admin.post(f"{TOKENS}add/", {"name": "ci", "role": "operator", "owner": ada.pk})
    secret = answer.content.decode().partition('<code id="token">')[2].partition("<")[0]
    assert "no-store" in answer["Cache-Control"]
    assert Client(headers={"Authorization": f"Token {secret}"}).get("/api/v1/me").json()["role"] == "operator"
    token = Token.objects.get()
    for path in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        shown = admin.get(path).content.decode()
        assert "ci" in shown
        assert secret not in shown
        assert token.digest not in shown
    assert audited() == [("token.create", str(token.pk), {"name": "ci", "role": "operator"})]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"role": "operator"}, "all others need one"),
        ({"role": "agent", "owner": "ada"}, "have no owner"),
        ({"role": "agent", "expires_at_0": "2001-01-01", "expires_at_1": "00:00"}, "in the past"),
    ],
)
def test_token_that_makes_no_sense_is_refused(admin: Client, ada: User, told: dict[str, Any], said: str) -> None:
    if "owner" in told:
        told = told | {"owner": ada.pk}
    assert said in admin.post(f"{TOKENS}add/", {"name": "ci", **told}).content.decode()
    assert not Token.objects.exists()


def test_last_use_of_a_token_is_shown_and_revoking_ends_it(admin: Client, ada: User) -> None:
    token, secret = tokens.create("ci", role=Role.VIEWER, owner=ada)
    program = Client(headers={"Authorization": f"Token {secret}"})
    assert program.get("/api/v1/me").status_code == 200
    token.refresh_from_db()
    assert token.last_used_at
    assert 'class="field-last_used_at nowrap">-<' not in admin.get(TOKENS).content.decode()
    act(admin, TOKENS, "revoke", token.pk)
    assert program.get("/api/v1/me").status_code == 401
    assert audited() == [("token.delete", str(token.pk), {"name": "ci", "role": "viewer"})]


def test_token_is_not_changed(admin: Client, ada: User) -> None:
    token, _ = tokens.create("ci", role=Role.VIEWER, owner=ada)
    assert admin.post(f"{TOKENS}{token.pk}/change/", {"name": "ci", "role": "admin", "owner": ada.pk}).status_code == 403


def test_audit_is_shown_searched_and_never_changed(admin: Client, ada: User) -> None:
    who = Identity(ada, Role.ADMIN, "token")
    audit.record(who, "node.pause", "n1", reason="fan")
    audit.record(who, "job.cancel", "j1")
    shown = admin.get(f"{AUDIT}?q=node.pause").content.decode()
    assert "fan" in shown
    assert "job.cancel" not in shown
    entry = AuditEntry.objects.earliest("id")
    assert admin.post(f"{AUDIT}{entry.pk}/change/", {"action": "x"}).status_code == 403
    assert admin.post(f"{AUDIT}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get(f"{AUDIT}add/").status_code == 403


def test_lists_cost_the_same_for_3_rows_and_for_30(admin: Client, ada: User) -> None:
    def queries() -> list[int]:
        found = []
        for path in (USERS, TOKENS, AUDIT):
            with CaptureQueriesContext(connection) as captured:
                assert admin.get(path).status_code == 200
            found.append(len(captured))
        return found

    def fill(count: int) -> None:
        for _ in range(count):
            user = User.objects.create_user(f"user{User.objects.count()}")
            grant(user, Role.VIEWER)
            tokens.create("t", role=Role.VIEWER, owner=user)
            audit.record(Identity(user, Role.ADMIN, "token"), "node.pause", "n1")

    fill(3)
    few = queries()
    fill(27)
    assert queries() == few
