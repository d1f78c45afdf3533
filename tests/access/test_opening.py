"""The open loopback: which anonymous requests get a role, and which never do."""

import socket
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from access.checks import check_settings, hosts_of, refuse_unsafe_start
from access.opening import listens_on_loopback_only
from access.roles import Role
from tests.people import PASSWORD, as_, with_password

pytestmark = pytest.mark.django_db

ME = "/api/v1/me"
LOCAL: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}


@pytest.fixture(autouse=True)
def opened(settings: Settings) -> None:
    settings.SWITCHYARD_OPEN_ON_LOOPBACK = "operator"
    settings.SWITCHYARD_BOUND_TO = "127.0.0.1"
    settings.ALLOWED_HOSTS = ["*"]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"HTTP_HOST": "127.0.0.1"},
        {"HTTP_HOST": "[::1]:8000", "REMOTE_ADDR": "::1"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "http://localhost:8000"},
    ],
)
def test_local_request_is_an_operator(client: Client, request_: dict[str, str]) -> None:
    answer = client.get(ME, **(LOCAL | request_))
    assert answer.json() == {"user": "local", "role": "operator", "via": "loopback"}


@pytest.mark.parametrize(
    "request_",
    [
        {"REMOTE_ADDR": "192.0.2.1"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "127.0.0.1.example.org"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_X_FORWARDED_PROTO": "https"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_HOST": "localhost.example.org"},
        {"HTTP_HOST": "127.0.0.2"},
        {"HTTP_HOST": "127.0.0.1:8000x"},
        {"HTTP_HOST": "example.org"},
        {"HTTP_HOST": "LOCALHOST"},
        {"HTTP_HOST": "localhost:"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_ORIGIN": "http://example.org"},
        {"HTTP_ORIGIN": "http://localhost:9000"},
        {"HTTP_ORIGIN": "null"},
    ],
)
def test_request_that_may_come_from_elsewhere_has_no_role(client: Client, request_: dict[str, str]) -> None:
    assert client.get(ME, **(LOCAL | request_)).status_code in (400, 401)


@pytest.mark.parametrize("role", ["", "admin", "agent", "root"])
def test_only_viewer_and_operator_can_be_opened(client: Client, settings: Settings, role: str) -> None:
    settings.SWITCHYARD_OPEN_ON_LOOPBACK = role
    assert client.get(ME, **LOCAL).status_code == 401


def test_server_bound_elsewhere_opens_nothing(client: Client, settings: Settings) -> None:
    settings.SWITCHYARD_BOUND_TO = "0.0.0.0"
    assert client.get(ME, **LOCAL).status_code == 401


@pytest.mark.parametrize("header", ["Token wrong", "Bearer", "Basic !!!", "Basic bm9ib2R5Om5v", "Digest x", ""])
def test_bad_credentials_are_never_a_fallback(client: Client, header: str) -> None:
    assert client.get(ME, HTTP_AUTHORIZATION=header, **LOCAL).status_code == 401


def test_local_user_cannot_log_in(client: Client) -> None:
    client.get(ME, **LOCAL)
    assert not client.login(username="local", password="")


def test_who_has_logged_in_is_not_the_local_user(client: Client) -> None:
    client.force_login(with_password(Role.VIEWER))
    assert client.get(ME, **LOCAL).json() == {"user": "viewer", "role": "viewer", "via": "session"}


def test_credentials_count_before_the_loopback() -> None:
    assert Client(headers=as_(Role.VIEWER)).get(ME, **LOCAL).json()["role"] == "viewer"


@pytest.mark.parametrize(("bound", "opened_as"), [("0.0.0.0", "operator"), ("192.0.2.1", "viewer"), ("127.0.0.1", "admin")])
def test_server_does_not_start_with_the_loopback_opened_too_far(settings: Settings, bound: str, opened_as: str) -> None:
    settings.SECRET_KEY = PASSWORD * 3
    settings.ALLOWED_HOSTS = ["switchyard.example.org"]
    settings.SWITCHYARD_BOUND_TO, settings.SWITCHYARD_OPEN_ON_LOOPBACK = bound, opened_as
    with pytest.raises(ImproperlyConfigured, match="SWITCHYARD_OPEN_ON_LOOPBACK"):
        refuse_unsafe_start()


def test_server_does_not_start_off_loopback_with_what_is_for_development(settings: Settings) -> None:
    settings.SWITCHYARD_BOUND_TO, settings.SWITCHYARD_OPEN_ON_LOOPBACK = "192.0.2.1", ""
    settings.SECRET_KEY = settings.INSECURE_SECRET_KEY
    settings.DEBUG = True
    assert {each.id for each in check_settings(None)} == {"access.E003", "access.E004", "access.E005"}


def test_server_does_not_start_with_another_host_on_its_command_line() -> None:
    assert hosts_of([["granian", "--host", "0.0.0.0"], ["granian", "--host=::"]]) == ["0.0.0.0", "::"]
    refuse_unsafe_start()


def test_process_that_listens_elsewhere_opens_nothing(client: Client) -> None:
    listens_on_loopback_only.cache_clear()
    with socket.create_server(("0.0.0.0", 0)):
        assert client.get(ME, **LOCAL).status_code == 401
    listens_on_loopback_only.cache_clear()
    assert client.get(ME, **LOCAL).status_code == 200


def test_browser_on_the_open_loopback_can_log_in_to_the_admin(client: Client) -> None:
    answer = client.get("/admin/", **LOCAL)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")
    page = client.get(answer["Location"], follow=True, **LOCAL)
    assert page.status_code == 200
    assert b'name="password"' in page.content


def test_change_in_the_admin_from_the_open_loopback_is_refused(client: Client) -> None:
    assert client.post("/admin/", **LOCAL).status_code == 403
