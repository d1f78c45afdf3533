"""Who is asking: tokens, passwords and sessions, and what each may do."""

import base64
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from access import tokens
from access.models import Token
from access.roles import Role
from tests.people import PASSWORD, as_, token_of, user_in, with_password

pytestmark = pytest.mark.django_db

ME = "/api/v1/me"
JOBS = "/api/v1/jobs"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer", "TOKEN"])
def test_token_identifies_its_owner(client: Client, scheme: str) -> None:
    answer = client.get(ME, headers={"Authorization": f"{scheme} {token_of(Role.OPERATOR)}"})
    assert answer.json() == {"user": "operator", "role": "operator", "via": "token"}


def test_token_has_at_most_the_role_of_its_cap(client: Client) -> None:
    headers = {"Authorization": f"Bearer {token_of(Role.ADMIN, cap=Role.VIEWER)}"}
    assert client.get(ME, headers=headers).json()["role"] == "viewer"


def test_token_has_at_most_the_role_of_its_owner(client: Client) -> None:
    headers = {"Authorization": f"Bearer {token_of(Role.VIEWER, cap=Role.ADMIN)}"}
    assert client.get(ME, headers=headers).json()["role"] == "viewer"


def test_token_of_somebody_without_a_role_may_nothing(client: Client) -> None:
    secret = tokens.create("test", role=Role.ADMIN, owner=user_in(None))[1]
    assert client.get(ME, headers={"Authorization": f"Bearer {secret}"}).status_code == 403


def test_expired_revoked_or_orphaned_token_is_refused(client: Client) -> None:
    headers = [as_(Role.VIEWER) for _ in range(2)]
    first, second = Token.objects.order_by("id")
    Token.objects.filter(id=first.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(ME, headers=headers[0]).status_code == 401
    user_in(Role.VIEWER).tokens.all()
    second.owner.is_active = False  # type: ignore[union-attr]
    second.owner.save()  # type: ignore[union-attr]
    assert client.get(ME, headers=headers[1]).status_code == 401
    Token.objects.all().delete()
    assert client.get(ME, headers=headers[1]).status_code == 401


def test_only_the_digest_of_a_token_is_stored() -> None:
    secret = token_of(Role.VIEWER)
    assert secret not in str(Token.objects.values().get())


def test_use_of_a_token_is_noted(client: Client) -> None:
    client.get(ME, headers=as_(Role.VIEWER))
    assert Token.objects.get().last_used_at is not None


def test_password_identifies(client: Client) -> None:
    with_password(Role.VIEWER)
    assert client.get(ME, headers=basic("viewer", PASSWORD)).json()["via"] == "basic"
    assert client.get(ME, headers=basic("viewer", "wrong")).status_code == 401
    assert client.get(ME, headers=basic("viewer\x00", PASSWORD)).status_code == 401


@pytest.mark.parametrize("told", ["é", "====", "bm8tY29sb24=", "/w==", ""])
def test_a_password_that_cannot_be_read_is_refused(client: Client, told: str) -> None:
    assert client.get(ME, headers={"Authorization": f"Basic {told}"}).status_code == 401


def test_challenge_names_the_scheme(client: Client) -> None:
    assert client.get(ME)["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/metrics")["WWW-Authenticate"].startswith("Bearer")


def test_change_that_rests_on_a_cookie_needs_the_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_in(Role.OPERATOR))
    body = {"name": "x", "stages": [{"name": "a", "command": ["true"]}]}
    assert client.get(JOBS).status_code == 200
    assert client.post(JOBS, body, content_type="application/json").status_code == 403
    client.get("/ui/login")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.post(JOBS, body, content_type="application/json", headers=headers).status_code == 201


@pytest.mark.usefixtures("kept")
def test_upload_that_rests_on_a_cookie_has_the_csrf_token_in_its_head() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user_in(Role.OPERATOR))
    client.get("/ui/")
    headers = {"X-CSRFToken": client.cookies["csrftoken"].value}

    refused = client.post("/api/v1/programs", {"file": SimpleUploadedFile("a.zip", b"none")}, headers=headers)
    assert (refused.status_code, "no zip archive" in refused.content.decode()) == (400, True)
    for wrong in ({}, {"X-CSRFToken": "x" * 32}):
        assert (
            client.post("/api/v1/programs", {"file": SimpleUploadedFile("a.zip", b"none")}, headers=wrong).status_code == 403
        )


def test_change_with_a_token_needs_no_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True, headers=as_(Role.OPERATOR))
    body = {"name": "x", "stages": [{"name": "a", "command": ["true"]}]}
    assert client.post(JOBS, body, content_type="application/json").status_code == 201


def test_page_without_a_login_leads_to_it_and_back(client: Client) -> None:
    with_password(Role.VIEWER)
    answer = client.get("/ui/jobs?state=FAILED")
    assert answer["Location"] == "/ui/login?next=/ui/jobs%3Fstate%3DFAILED"
    told = {"username": "viewer", "password": PASSWORD, "next": "/ui/jobs?state=FAILED"}
    assert client.post("/ui/login", told)["Location"] == "/ui/jobs?state=FAILED"


def test_passwords_are_kept_with_argon2_and_older_ones_anew_at_the_next_log_in(client: Client) -> None:
    user = with_password(Role.VIEWER)
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
    user.save()
    assert client.get(ME, headers=basic("viewer", PASSWORD)).json()["user"] == "viewer"
    user.refresh_from_db()
    assert user.password.startswith("argon2$")
    assert client.get(ME, headers=basic("viewer", PASSWORD)).json()["user"] == "viewer"
