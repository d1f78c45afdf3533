"""Behind a real nginx with TLS and a prefix: pages, links, cookies and the sender's address are those of the outside."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from launch.processes import wait_until
from tests.flows.stack import free_port
from tests.switchyard.stacks import Running, running

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not all(map(shutil.which, ("nginx", "openssl"))), reason="nginx or openssl is not on PATH"),
]
SECONDS = 20.0
FAILURES = 5
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location /yard/ {{
      proxy_pass {web}/;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Prefix /yard;
    }}
    location / {{ proxy_pass {web}; }}
  }}
}}
"""
LINK = re.compile(r'(?:href|src|hx-get|data-api|data-goto|action)="([^"#]+)')
JOB = """
name: outside
stages:
  - {name: only, command: [echo, hello], parallelism: 3}
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Running]:
    limits = {"SWITCHYARD_LOGIN_FAILURES": "0", "SWITCHYARD_LOGIN_FAILURES_OF_PEER": str(FAILURES)}
    with running(SWITCHYARD_PROXIES="127.0.0.1,::1", **limits) as started:
        yield started


@pytest.fixture(scope="module")
def outside(stack: Running) -> Iterator[str]:
    """Give the address of the stack's pages at the proxy."""
    with nginx(stack.url) as url:
        yield f"{url}/yard"


@pytest.fixture
def visitor(outside: str) -> Iterator[httpx.Client]:
    """Give somebody who comes through the proxy."""
    with client() as opened:
        yield opened


def client(address: str = "127.0.0.9") -> httpx.Client:
    """Return a client with an address of its own, which is not the proxy's."""
    transport = httpx.HTTPTransport(verify=False, local_address=address)
    return httpx.Client(transport=transport, follow_redirects=True, timeout=SECONDS)


@contextmanager
def nginx(web: str) -> Iterator[str]:
    """Run an nginx with TLS in front of a web server, and give its address."""
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="switchyard-nginx-"))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, web=web))
    pair = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1", *pair],
        capture_output=True,
        check=True,
    )
    process = subprocess.Popen(["nginx", "-e", "stderr", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: listens(port), SECONDS), (folder / "error.log").read_text()
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


def log_in(visitor: httpx.Client, outside: str, password: str) -> httpx.Response:
    page = visitor.get(f"{outside}/ui/")
    assert str(page.url).startswith(f"{outside}/ui/login?next=/yard/ui/")
    [token] = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    fields = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
    return visitor.post(str(page.url), data=fields, headers={"Referer": str(page.url)})


def addresses(page: httpx.Response) -> set[str]:
    """Return where the links, scripts, styles and buttons of a page lead, without those that end the session."""
    found = {urljoin(str(page.url), unescape(link)) for link in LINK.findall(page.text)}
    return {link for link in found if link.startswith("https://localhost") and "logout" not in link}


def test_every_link_of_the_pages_stays_below_the_prefix(visitor: httpx.Client, outside: str, stack: Running) -> None:
    stack.switchyard("submit", "-", "--wait", stdin=JOB, SWITCHYARD_TOKEN=stack.token)
    found, looked_at = addresses(log_in(visitor, outside, stack.password)), set[str]()
    for _ in range(3):
        for link in sorted(found - looked_at):
            looked_at.add(link)
            page = visitor.get(link)
            assert page.status_code in (200, 405), (link, page.status_code)
            found |= addresses(page) if f"{outside}/ui/" in link or link == f"{outside}/admin/" else set()
    assert {link for link in found if not link.startswith(f"{outside}/")} == set()
    assert {f"{outside}/ui/jobs/1", f"{outside}/static/ui.js", f"{outside}/admin/"} < looked_at


def test_links_of_the_api_are_those_of_the_outside(visitor: httpx.Client, outside: str, stack: Running) -> None:
    api = f"{outside}/api/v1"
    visitor.headers["Authorization"] = f"Bearer {stack.token}"
    made = visitor.post(f"{api}/jobs", content=JOB, headers={"Content-Type": "application/yaml"})
    assert made.headers["Location"] == f"{api}/jobs/{made.json()['id']}"
    visitor.post(f"{api}/jobs", content=JOB, headers={"Content-Type": "application/yaml"})
    following = visitor.get(f"{api}/jobs?limit=1").json()["next"]
    assert following.startswith(f"{api}/jobs?")
    assert visitor.get(following).json()["results"]
    tasks = visitor.get(f"{api}/jobs/{made.json()['id']}/tasks?limit=1").json()["next"]
    assert visitor.get(tasks).json()["results"][0]["index"] == 1
    assert visitor.get(f"{api}/").json()["jobs"] == f"{api}/jobs"
    assert visitor.get(f"{outside}/jars").json()["address"] == outside
    file = {"jarfile": ("job.yaml", JOB.encode())}
    assert visitor.post(f"{outside}/jobs", files=file).json()["jobUrl"].startswith("/yard/jobs/")
    schema = visitor.get(f"{api}/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert schema.json()["servers"] == [{"url": "/yard"}]


def test_cookies_are_for_https_alone_and_browsers_are_told_to_stay_with_it(
    visitor: httpx.Client, outside: str, stack: Running
) -> None:
    answer = log_in(visitor, outside, stack.password).history[0]
    assert {cookie.name for cookie in visitor.cookies.jar if cookie.secure} == {"csrftoken", "sessionid"}
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


def test_changes_from_pages_are_taken_without_naming_the_origin(visitor: httpx.Client, outside: str, stack: Running) -> None:
    [csrf] = re.findall('data-csrf="([^"]+)"', log_in(visitor, outside, stack.password).text)
    headers = {"X-CSRFToken": csrf, "Origin": outside.removesuffix("/yard"), "Referer": f"{outside}/ui/"}
    changed = visitor.patch(f"{outside}/api/v1/scheduler", json={"paused": False}, headers=headers)
    assert changed.status_code == 200, changed.text


def test_who_comes_through_a_proxy_is_nobody_without_credentials(visitor: httpx.Client, outside: str) -> None:
    assert visitor.get(f"{outside}/api/v1/me").status_code == 401
    assert visitor.get(urljoin(outside, "/api/v1/me")).status_code == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs nginx as another user")
def test_a_plain_proxy_of_another_user_opens_nothing(whole_stack: Running) -> None:
    with nginx(whole_stack.url) as url, client() as visitor:
        assert visitor.get(f"{url}/api/v1/me").status_code == 401
    assert httpx.get(f"{whole_stack.url}/api/v1/me", trust_env=False).json()["via"] == "loopback"


def test_the_lock_out_counts_by_the_true_sender(visitor: httpx.Client, outside: str) -> None:
    basic = {"Authorization": f"Basic {b64encode(b'nobody:wrong').decode()}"}
    with client("127.0.0.3") as other:
        for number in range(FAILURES):
            made_up = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert other.get(f"{outside}/api/v1/me", headers=basic | made_up).status_code == 401
        assert other.get(f"{outside}/api/v1/me", headers=basic).status_code == 429
    assert visitor.get(f"{outside}/api/v1/me", headers=basic).status_code == 401
