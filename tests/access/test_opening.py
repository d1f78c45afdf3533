"""The open loopback: which anonymous requests get a role, and which never do."""

import os
import shutil
import socket
import subprocess
from ipaddress import ip_network
from threading import Timer
from typing import Any

import httpx
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from access import peers
from access.checks import check_settings, hosts_of, refuse_unsafe_start
from access.opening import listening
from access.roles import Role
from tests.people import PASSWORD, as_, with_password
from tests.switchyard.stacks import Running

pytestmark = pytest.mark.django_db
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("curl"), reason="only root can ask as another user, with curl"
)

ME = "/api/v1/me"
LOCAL: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000"}


@pytest.fixture(autouse=True)
def opened(settings: Settings) -> None:
    settings.SWITCHYARD_OPEN_ON_LOOPBACK = "operator"
    settings.SWITCHYARD_BOUND_TO = "127.0.0.1"
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]


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


def test_refusal_names_the_origin_that_a_browser_adds(client: Client) -> None:
    answer = client.get(ME, HTTP_ORIGIN="http://example.org", **LOCAL)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "not_authenticated")
    assert "origin http://example.org " in answer.json()["errors"][0]["detail"]
    assert answer["WWW-Authenticate"]
    assert "origin" not in client.get(ME, HTTP_HOST="localhost:8000", REMOTE_ADDR="192.0.2.1").content.decode()


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
    settings.ALLOWED_HOSTS = ["*"]
    assert {each.id for each in check_settings(None)} == {"access.E003", "access.E004", "access.E005"}


def test_server_does_not_start_with_another_host_on_its_command_line() -> None:
    assert hosts_of([["granian", "--host", "0.0.0.0"], ["granian", "--host=::"]]) == ["0.0.0.0", "::"]
    refuse_unsafe_start()


def test_process_that_listens_elsewhere_opens_nothing(client: Client) -> None:
    listening.cache_clear()
    with socket.create_server(("0.0.0.0", 0)):
        assert client.get(ME, **LOCAL).status_code == 401
    listening.cache_clear()
    assert client.get(ME, **LOCAL).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", ["localhost", "jobs.example.org"]),
        ("CSRF_TRUSTED_ORIGINS", ["https://jobs.example.org"]),
        ("TRUSTED_PROXIES", [ip_network("127.0.0.1")]),
    ],
)
def test_settings_that_name_others_close_it(client: Client, settings: Settings, name: str, value: Any) -> None:
    setattr(settings, name, value)
    assert client.get(ME, **LOCAL).status_code == 401


@needs_root
def test_another_user_of_this_machine_has_no_role(whole_stack: Running) -> None:
    asked = f"{whole_stack.url}{ME}"
    assert httpx.get(asked, trust_env=False).json()["via"] == "loopback"
    command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--noproxy", "*", asked]
    done = subprocess.run(command, user="nobody", cwd="/", capture_output=True, text=True, check=False)
    assert done.stdout == "401", done.stderr
    assert httpx.get(asked, trust_env=False).status_code == 200


def test_a_connection_that_its_owner_closes_is_no_stranger() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = frozenset({server.getsockname()[1]})
        held = socket.create_connection(server.getsockname())
        gone = socket.create_connection(server.getsockname())
        (first, _), (second, _) = server.accept(), server.accept()
        with held, first:
            assert peers.all_are_ours(ports)
            gone.close()
            assert not peers.all_are_ours(ports)
            Timer(0.01, second.close).start()
            assert peers.all_are_ours(ports)


def test_browser_on_the_open_loopback_can_log_in_to_the_admin(client: Client) -> None:
    answer = client.get("/admin/", **LOCAL)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")
    page = client.get(answer["Location"], follow=True, **LOCAL)
    assert page.status_code == 200
    assert b'name="password"' in page.content


def test_change_in_the_admin_from_the_open_loopback_is_refused(client: Client) -> None:
    assert client.post("/admin/", **LOCAL).status_code == 403
